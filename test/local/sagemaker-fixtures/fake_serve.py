"""Answers as `transformers serve` does, without a model: `fake_serve.py PORT WEIGHTS`.

It says what it was asked in its answer, refuses what transformers refuses, streams one word each tenth of a
second, and ends at once where the weights hold a file `broken`."""

import http.server
import json
import pathlib
import sys
import time

PORT, WEIGHTS = int(sys.argv[1]), pathlib.Path(sys.argv[2])
if (WEIGHTS / "broken").exists():
    sys.exit("cannot load the weights")


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *_: object) -> None:
        pass

    def do_GET(self) -> None:
        self.reply(200, {"status": "ok"})

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["content-length"])))
        unknown = set(body) - {"messages", "stream", "generation_config", "temperature", "max_tokens", "seed"}
        if unknown:
            self.reply(422, {"detail": f"Unexpected fields in the request: {unknown}"})
            return
        name = (WEIGHTS / "name.txt").read_text().strip()
        text = f"{name} heard {body['messages'][-1]['content']}"
        usage = {"prompt_tokens": 3, "completion_tokens": 4, "total_tokens": 7}
        common = {"id": "chat-1", "created": 1, "model": "model@main"}
        if not body.get("stream"):
            choice = {"index": 0, "message": {"role": "assistant", "content": text}, "finish_reason": "stop"}
            asked = json.loads(body["generation_config"])
            self.reply(
                200, {**common, "object": "chat.completion", "choices": [choice], "usage": usage, "asked": asked}
            )
            return
        self.send_response(200)
        self.send_header("content-type", "text/event-stream")
        self.send_header("transfer-encoding", "chunked")
        self.end_headers()
        for word in text.split():
            self.event({**common, "choices": [{"index": 0, "delta": {"content": word + " "}}]})
            time.sleep(0.1)
        self.event({**common, "choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}], "usage": usage})
        self.wfile.write(b"0\r\n\r\n")

    def event(self, value: object) -> None:
        data = f"data: {json.dumps(value)}\n\n".encode()
        self.wfile.write(f"{len(data):x}\r\n".encode() + data + b"\r\n")
        self.wfile.flush()

    def reply(self, status: int, value: object) -> None:
        data = json.dumps(value).encode()
        self.send_response(status)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)


http.server.ThreadingHTTPServer(("127.0.0.1", PORT), Handler).serve_forever()
