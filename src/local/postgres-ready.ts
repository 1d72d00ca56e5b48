import { connect, createServer } from 'node:net';

const PROTOCOL_3 = 196_608;
const PATIENCE_MS = 5000;

/** A port that was free a moment ago. */
export function findFreePort(): Promise<number> {
  return new Promise((done, fail) => {
    const server = createServer();
    server.on('error', fail);
    server.listen(0, '127.0.0.1', () => {
      const address = server.address();
      const port = typeof address === 'object' && address !== null ? address.port : 0;
      server.close(() => done(port));
    });
  });
}

/**
 * Whether a server takes sessions: it answers a startup packet with a request to authenticate. While it starts or
 * recovers it answers with an error instead.
 */
export function takesSessions(port: number, user: string): Promise<boolean> {
  return new Promise((done) => {
    const socket = connect({ host: '127.0.0.1', port });
    const settle = (isReady: boolean): void => {
      socket.destroy();
      done(isReady);
    };
    socket.setTimeout(PATIENCE_MS, () => settle(false));
    socket.on('error', () => settle(false));
    socket.on('close', () => settle(false));
    socket.on('connect', () => socket.write(toStartupPacket(user)));
    socket.on('data', (data) => settle(data[0] === 'R'.charCodeAt(0)));
  });
}

function toStartupPacket(user: string): Buffer {
  const body = Buffer.from(`user\0${user}\0database\0postgres\0\0`);
  const packet = Buffer.alloc(8 + body.length);
  packet.writeInt32BE(packet.length, 0);
  packet.writeInt32BE(PROTOCOL_3, 4);
  body.copy(packet, 8);
  return packet;
}
