import { createServer } from 'node:net';

/**
 * A free port on loopback, below the range from which Linux picks the ports of outgoing connections: a port from that
 * range could be taken by a connection before the caller listens on it. And above the last port that `fetch` refuses as a
 * bad port, 10080.
 */
export async function pickPort(): Promise<number> {
  for (;;) {
    const port = 10_100 + Math.floor(Math.random() * 20_000);
    if (await canListen(port)) return port;
  }
}

const canListen = (port: number): Promise<boolean> =>
  new Promise((resolve) => {
    const server = createServer();
    server.once('error', () => resolve(false));
    server.listen(port, '127.0.0.1', () => server.close(() => resolve(true)));
  });
