// The JDK's HTTP server: answers 200 to what looks like a JSON object, 400 to anything else. The JDK has no JSON parser.
import com.sun.net.httpserver.HttpExchange;
import com.sun.net.httpserver.HttpServer;
import java.io.IOException;
import java.net.InetSocketAddress;
import java.nio.ByteBuffer;
import java.nio.charset.CharacterCodingException;
import java.nio.charset.StandardCharsets;
import java.util.concurrent.Executors;

public class Receiver {
    public static void main(String[] arguments) throws IOException {
        HttpServer server = HttpServer.create(new InetSocketAddress("127.0.0.1", Integer.parseInt(arguments[0])), 256);
        server.createContext("/", Receiver::receive);
        server.setExecutor(Executors.newCachedThreadPool());
        server.start();
    }

    private static void receive(HttpExchange exchange) throws IOException {
        try (exchange) {
            int status = 405;
            if (exchange.getRequestMethod().equals("POST")) {
                status = isObject(exchange.getRequestBody().readAllBytes()) ? 200 : 400;
            }
            exchange.sendResponseHeaders(status, -1);
        }
    }

    private static boolean isObject(byte[] body) {
        try {
            String text = StandardCharsets.UTF_8.newDecoder().decode(ByteBuffer.wrap(body)).toString();
            Json json = new Json(text.startsWith("\uFEFF") ? text.substring(1) : text);
            return json.peek() == '{' && json.value(0) && json.peek() == 0;
        } catch (CharacterCodingException | IndexOutOfBoundsException error) {
            return false;
        }
    }

    /** A reader that only tells whether a text is JSON. */
    private static final class Json {
        private static final int MAX_DEPTH = 200;
        private final String text;
        private int at;

        Json(String text) {
            this.text = text;
        }

        char peek() {
            while (at < text.length() && " \t\r\n".indexOf(text.charAt(at)) >= 0) at++;
            return at < text.length() ? text.charAt(at) : 0;
        }

        boolean value(int depth) {
            if (depth > MAX_DEPTH) return false;
            switch (peek()) {
                case '{': return members(depth, '}', true);
                case '[': return members(depth, ']', false);
                case '"': return string();
                default: return literal();
            }
        }

        private boolean members(int depth, char end, boolean hasNames) {
            at++;
            if (peek() == end) {
                at++;
                return true;
            }
            while (true) {
                if (hasNames) {
                    if (peek() != '"' || !string() || peek() != ':') return false;
                    at++;
                }
                if (!value(depth + 1)) return false;
                char next = peek();
                at++;
                if (next == end) return true;
                if (next != ',') return false;
            }
        }

        private boolean string() {
            for (at++; at < text.length(); at++) {
                char one = text.charAt(at);
                if (one == '"') {
                    at++;
                    return true;
                }
                if (one < ' ') return false;
                if (one == '\\') {
                    char kind = text.charAt(++at);
                    if ("\"\\/bfnrtu".indexOf(kind) < 0) return false;
                    if (kind == 'u') {
                        if (!text.substring(at + 1, at + 5).matches("[0-9a-fA-F]{4}")) return false;
                        at += 4;
                    }
                }
            }
            return false;
        }

        private boolean literal() {
            int start = at;
            while (at < text.length() && "{}[],: \t\r\n\"".indexOf(text.charAt(at)) < 0) at++;
            return text.substring(start, at).matches("true|false|null|-?(0|[1-9]\\d*)(\\.\\d+)?([eE][+-]?\\d+)?");
        }
    }
}
