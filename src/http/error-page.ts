import type { HttpResponseInit } from './response.ts';
import { reasonPhrase } from './status.ts';

/** The small page that explains a status, in the plain style of web servers. */
export function errorPage(
  status: number,
  serverName: string,
  headers: Record<string, string> = {},
): HttpResponseInit {
  const title = `${status} ${reasonPhrase(status)}`;
  const body = `<html>
<head><title>${title}</title></head>
<body>
<center><h1>${title}</h1></center>
<hr><center>${serverName}</center>
</body>
</html>
`;
  return {
    status,
    headers: { 'Content-Type': 'text/html', ...headers },
    body: body.replaceAll('\n', '\r\n'),
  };
}
