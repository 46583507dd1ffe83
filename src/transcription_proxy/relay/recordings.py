"""Relays recordings to the upstream's `POST /v1/listen` piece by piece, and has each one billed as a session.

Nothing is tried twice: the clients repeat failed requests themselves, and each try costs."""

from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AsyncExitStack
from dataclasses import dataclass
from time import monotonic
from typing import Final

import httpx
import structlog

from transcription_proxy import sentences
from transcription_proxy.errors import Refusal
from transcription_proxy.relay.recording_session import RecordingSession
from transcription_proxy.relay.remote_file import RemoteFiles
from transcription_proxy.relay.switchboard import Switchboard
from transcription_proxy.stream import listen_errors, recording
from transcription_proxy.stream.listen_errors import ListenError
from transcription_proxy.stream.recording import HEAD_BYTES, Length, RecordingRequest

MAX_URL_BYTES: Final = 16 * 1024
"""Bytes of a JSON body with a URL."""
MAX_ANSWER_BYTES: Final = 256 << 20
"""Bytes of the upstream's answer."""
PROCESSING_SECONDS: Final = 1320.0
"""Seconds without a byte of the upstream's answer: Deepgram itself gives up after 20 minutes."""
TIMEOUT: Final = httpx.Timeout(PROCESSING_SECONDS, connect=10.0, write=60.0, pool=10.0)
JSON: Final = "application/json"
log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Upload:
    """The body of a client's request. `size`: its bytes, None if the client does not say."""

    content_type: str
    size: int | None
    chunks: AsyncIterator[bytes]


@dataclass(frozen=True, slots=True)
class Transcribed:
    """The upstream's answer, as it came."""

    body: bytes
    content_type: str
    request_id: str | None


class UpstreamFailed(Exception):
    """The upstream refused a recording, or was not reached."""

    def __init__(self, error: ListenError) -> None:
        super().__init__(error.message)
        self.error = error


class Recordings:
    """Transcribes the recordings of a process. `max_bytes`: the largest recording."""

    def __init__(
        self,
        switchboard: Switchboard,
        key: str | None,
        *,
        max_bytes: int,
        proxy: str | None = None,
        files: RemoteFiles | None = None,
    ) -> None:
        self.max_bytes = max_bytes
        self._switchboard = switchboard
        self._base = switchboard.context.upstream_url.replace("ws", "http", 1)
        self._headers = {"Authorization": f"Token {key}"} if key else {}
        self._proxy = proxy
        self._files = files or RemoteFiles()
        self._tls = httpx.create_ssl_context(trust_env=False)  # shared: making one blocks the event loop for 30 ms

    async def transcribe(self, token: str, query: str, upload: Upload) -> Transcribed:
        """Return the upstream's answer for a recording, once it is billed.

        Raise Refusal, Unavailable and UpstreamFailed, and then nothing is billed.
        """
        holder = await self._switchboard.verify(token)
        request = recording.read(query, self._switchboard.rates, holder.models)
        async with AsyncExitStack() as stack:
            if upload.content_type.partition(";")[0].strip().lower() == JSON:
                url = recording.read_url(await _small(upload.chunks))
                file = await stack.enter_async_context(self._files.open(url))
                upload = Upload("application/octet-stream", file.size, file.chunks)
            if upload.size is not None and upload.size > self.max_bytes:
                raise self.too_large()
            body = _Body(upload.chunks, self.max_bytes, self.too_large)
            head = await body.head()
            length = request.length(head, upload.size)
            hold = request.cost(length or request.expected(upload.size))
            session = await self._switchboard.open_recording(holder, request.listen, hold, needs_all=length is not None)
            return await session.run(self._transcribe(session, request, upload, body, length))

    async def _transcribe(
        self,
        session: RecordingSession,
        request: RecordingRequest,
        upload: Upload,
        body: "_Body",
        length: Length | None,
    ) -> Transcribed:
        url = self._base + request.listen.target(session.id)
        session.begin_upload(body)
        answer = await self._send(session, url, upload, body)
        found = recording.read_answer(answer.body)
        if found is None:
            log.error("recording_without_metadata", session=str(session.id))
            billed = length or request.expected(body.sent)
        else:
            billed = request.billed(found, body.sent)
            session.record_report(request.sent_ms(body.sent), found.milliseconds)
        await session.bill(request.cost(billed), billed.milliseconds)
        return answer

    async def _send(self, session: RecordingSession, url: str, upload: Upload, body: "_Body") -> Transcribed:
        """Send a recording upstream, and return the answer. Raise UpstreamFailed."""
        begun_at = monotonic()
        headers = {**self._headers, "Content-Type": upload.content_type or "application/octet-stream"}
        if upload.size is not None:
            headers["Content-Length"] = str(upload.size)
        try:
            async with (
                httpx.AsyncClient(timeout=TIMEOUT, verify=self._tls, trust_env=False, proxy=self._proxy) as client,
                client.stream("POST", url, headers=headers, content=body.chunks()) as response,
            ):
                content = await _limited(response)
        except (
            httpx.HTTPError,
            ImportError,
            ValueError,
        ) as error:  # the last two for a SOCKS proxy, which httpx can't use
            log.warning("recording_failed", error=type(error).__name__)
            raise UpstreamFailed(listen_errors.NO_ENGINE) from None
        request_id = response.headers.get("dg-request-id")
        session.record_request(request_id, round((monotonic() - begun_at) * 1000))
        if response.status_code != 200:
            detail = _printable(response.headers)
            log.warning("recording_refused", status=response.status_code, detail=detail)
            raise UpstreamFailed(listen_errors.from_upstream(response.status_code, detail, content, request_id))
        return Transcribed(content, response.headers.get("content-type", JSON), request_id)

    def too_large(self) -> Refusal:
        """Return the refusal of a recording with too many bytes."""
        return Refusal("too_large", sentences.recording_larger_than(self.max_bytes >> 20))


class _Body:
    """A recording on its way. `sent`: bytes that were passed on. It raises `too_large()` beyond `most` bytes."""

    def __init__(self, chunks: AsyncIterator[bytes], most: int, too_large: Callable[[], Refusal]) -> None:
        self._chunks = chunks
        self._most = most
        self._too_large = too_large
        self._head = b""
        self.sent = 0

    async def head(self) -> bytes:
        """Return the first bytes, which are kept for `chunks`. Raise Refusal for an empty body."""
        while len(self._head) < HEAD_BYTES and (chunk := await anext(self._chunks, None)) is not None:
            self._head += chunk
        if not self._head:
            raise Refusal("bad_recording", sentences.EMPTY_RECORDING)
        return self._head[:HEAD_BYTES]

    async def chunks(self) -> AsyncIterator[bytes]:
        """Yield all bytes, in pieces as they come."""
        head, self._head = self._head, b""
        yield self._count(head)
        async for chunk in self._chunks:
            yield self._count(chunk)

    def _count(self, chunk: bytes) -> bytes:
        self.sent += len(chunk)
        if self.sent > self._most:
            raise self._too_large()
        return chunk


async def _small(chunks: AsyncIterator[bytes]) -> bytes:
    body = b""
    async for chunk in chunks:
        body += chunk
        if len(body) > MAX_URL_BYTES:
            raise Refusal("bad_recording", sentences.NO_RECORDING_URL)
    return body


async def _limited(response: httpx.Response) -> bytes:
    content = bytearray()
    async for chunk in response.aiter_bytes():
        content += chunk
        if len(content) > MAX_ANSWER_BYTES:
            raise httpx.ReadError("the answer is too long")
    return bytes(content)


def _printable(headers: Mapping[str, str]) -> str:
    return "".join(each for each in headers.get("dg-error", "") if " " <= each <= "~")[:300]
