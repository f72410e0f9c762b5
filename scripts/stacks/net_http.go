// Go's net/http: answers 200 to a JSON object, 400 to anything else.
package main

import (
	"encoding/json"
	"io"
	"net/http"
	"os"
)

func receive(response http.ResponseWriter, request *http.Request) {
	if request.Method != http.MethodPost {
		response.WriteHeader(http.StatusMethodNotAllowed)
		return
	}
	body, err := io.ReadAll(http.MaxBytesReader(response, request.Body, 1<<20))
	var alarm map[string]any
	if err != nil || json.Unmarshal(body, &alarm) != nil || alarm == nil {
		response.WriteHeader(http.StatusBadRequest)
		return
	}
	response.WriteHeader(http.StatusOK)
}

func main() {
	http.HandleFunc("/", receive)
	panic(http.ListenAndServe("127.0.0.1:"+os.Args[1], nil))
}
