"""Flask: answers 200 to a JSON object, 400 to anything else."""

from flask import Flask, request

app = Flask(__name__)


@app.post("/")
def receive() -> tuple[str, int]:
    alarm = request.get_json(force=True, silent=True)
    return ("", 200) if isinstance(alarm, dict) else ("", 400)


if __name__ == "__main__":
    import sys

    app.run(port=int(sys.argv[1]))
