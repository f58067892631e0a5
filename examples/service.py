# ===- service.py - A classifier behind HTTP, with batching ----------------===#
#
# Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#
# ===-----------------------------------------------------------------------===#
"""service.py MODEL [--port 8000] [--batch 16] [--wait-ms 5] [--queue 256]

POST /classify?top=5 with a picture as the body answers {"predictions": [{"label", "score"}, ...]};
GET /health says that the model is loaded and how many pictures and batches have run. Requests that
come within --wait-ms of each other run as one batch, of at most --batch pictures; with --queue
pictures waiting, further ones are answered with 503. Needs fastapi, uvicorn and pillow."""

import argparse
import asyncio
import contextlib
import io

import fastapi
import PIL.Image
import uvicorn
import vitrt

MAX_BYTES = 20_000_000
ALL = 2**31 - 1  # classes


class Batcher:
    """Runs the pictures of several requests as one batch."""

    def __init__(self, model, batch, wait, waiting):
        self.model, self.batch, self.wait = model, batch, wait
        self.queue = asyncio.Queue(waiting)
        self.pictures = self.batches = 0

    async def classify(self, picture):
        """All classes with their scores, best first. Raises asyncio.QueueFull."""
        result = asyncio.get_running_loop().create_future()
        self.queue.put_nowait((picture, result))
        return await result

    async def collect(self):
        """The next batch: what comes within `wait` seconds of its first picture."""
        items = [await self.queue.get()]
        end = asyncio.get_running_loop().time() + self.wait
        with contextlib.suppress(asyncio.TimeoutError):
            while len(items) < self.batch:
                left = end - asyncio.get_running_loop().time()
                items.append(await asyncio.wait_for(self.queue.get(), max(left, 0)))
        return items

    async def run(self):
        while True:
            items = await self.collect()
            pictures = [picture for picture, _ in items]
            try:
                # In a thread: the event loop goes on reading requests, as kernels run without the GIL.
                found = await asyncio.to_thread(
                    self.model.classify, pictures, top=ALL, batch=self.batch
                )
            except Exception as error:
                found = [error] * len(items)
            self.pictures, self.batches = self.pictures + len(items), self.batches + 1
            for (_, result), one in zip(items, found):
                if result.cancelled():  # The client has gone.
                    continue
                result.set_exception(one) if isinstance(one, Exception) else result.set_result(one)


def decode(body):
    """Raises ValueError with what is wrong with the picture."""
    try:
        with PIL.Image.open(io.BytesIO(body)) as picture:
            picture.load()
            return picture
    except (OSError, SyntaxError, ValueError, PIL.Image.DecompressionBombError) as error:
        raise ValueError(f"the body is no picture that can be read: {error}") from error


async def read_body(request):
    body = bytearray()
    async for part in request.stream():
        body += part
        if len(body) > MAX_BYTES:
            raise fastapi.HTTPException(413, f"a picture has at most {MAX_BYTES} bytes")
    return bytes(body)


def make_app(model, batch=16, wait_ms=5.0, queue=256):
    @contextlib.asynccontextmanager
    async def lifespan(app):
        app.state.batcher = Batcher(model, batch, wait_ms / 1000, queue)
        worker = asyncio.create_task(app.state.batcher.run())
        yield
        worker.cancel()

    app = fastapi.FastAPI(title="vitrt", lifespan=lifespan)

    @app.post("/classify")
    async def classify(request: fastapi.Request, top: int = fastapi.Query(5, ge=1)):
        body = await read_body(request)
        try:
            picture = await asyncio.to_thread(decode, body)
            found = await app.state.batcher.classify(picture)
        except ValueError as error:
            raise fastapi.HTTPException(400, str(error))
        except asyncio.QueueFull:
            raise fastapi.HTTPException(503, "too many pictures are waiting", {"Retry-After": "1"})
        except vitrt.Error as error:
            raise fastapi.HTTPException(500, str(error))
        return {"predictions": [{"label": label, "score": score} for label, score in found[:top]]}

    @app.get("/health")
    async def health():
        batcher = app.state.batcher
        return {"model": model.source, "pictures": batcher.pictures, "batches": batcher.batches}

    return app


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model")
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=8000)
    parser.add_argument("--batch", type=int, default=16)
    parser.add_argument("--wait-ms", type=float, default=5)
    parser.add_argument("--queue", type=int, default=256)
    options = parser.parse_args()
    try:
        model = vitrt.load(options.model)
        # The first batch of a session takes longer.
        model.classify(PIL.Image.new("RGB", (64, 64)))
    except vitrt.Error as error:
        raise SystemExit(f"error: {error}")
    app = make_app(model, options.batch, options.wait_ms, options.queue)
    uvicorn.run(app, host=options.host, port=options.port, log_level="warning")


if __name__ == "__main__":
    main()
