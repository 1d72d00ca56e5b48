import { connect } from 'node:net';

const PROTOCOL_3 = 196_608;
const TIMEOUT_MS = 5000;

/**
 * Whether the server accepts connections: it then answers a startup packet with an authentication request, and with an
 * error while it starts or recovers.
 */
export function acceptsConnections(port: number, user: string): Promise<boolean> {
  return new Promise((done) => {
    const socket = connect({ host: '127.0.0.1', port });
    const settle = (isReady: boolean): void => {
      socket.destroy();
      done(isReady);
    };
    socket.setTimeout(TIMEOUT_MS, () => settle(false));
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
