/**
 * HTTP/1.1 over any byte stream: `import { HttpClient, serveHttp } from 'ethertype/http'`. The one entry point with
 * dependencies: a parser of HTTP and a table of media types.
 * @module
 */
export type { IncomingBody } from './body.ts';
export { HttpClient, type HttpRequestInit, type HttpResponse, request } from './client.ts';
export { acceptedStreams, fdStream } from './fd-stream.ts';
export { type FileStore, MemoryFiles, type OpenFile } from './files.ts';
export { HeaderList, type HeadersInit } from './headers.ts';
export { DEFAULT_LIMITS, type HttpLimits } from './limits.ts';
export type { HttpResponseInit } from './response.ts';
export {
  type HttpExchange,
  type HttpHandler,
  type HttpRequest,
  type HttpServerOptions,
  serveConnection,
  serveHttp,
} from './server.ts';
export { type StaticOptions, serveFiles } from './static.ts';
export { HttpError, reasonPhrase } from './status.ts';
export { type AnyStream, type ByteStream, type StreamPair, streamPair, toByteStream } from './stream.ts';
