/** Who is who in the walk. */
export const CLIENT_NAME = 'client';
export const CLIENT_ADDRESS = '10.0.0.1';
export const SERVER_NAME = 'server';
export const SERVER_ADDRESS = '10.0.0.2';
export const SERVER_PORT = 65500;
/** What the client asks for. */
export const PATH = '/';
