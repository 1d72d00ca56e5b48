import { once } from 'node:events';
import type { Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { createControl, type SimulatorControl } from './control.js';
import { createControlListener } from './control-listener.js';
import { DEMO_USER, LIMITED_USER, SECOND_USER } from './demo.js';
import { createProtocolListener } from './protocol-listener.js';
import { type SimulatorOptions, toSetup } from './settings.js';
import { World } from './world.js';

export interface SimulatorLogin {
  readonly ubi: string;
  readonly username: string;
  readonly password: string;
}

export interface Simulator {
  /** The base URL of the listener that plays BioTrack. */
  readonly url: string;
  readonly controlUrl: string;
  /** Who can log in at the start: the demo user, one without `sync_vendor`, one of another UBI. */
  readonly users: readonly SimulatorLogin[];
  /** The same for every state, seed and port; its UBI owns several sites. */
  readonly demo: SimulatorLogin;
  readonly control: SimulatorControl;
  /** Ends both listeners and every connection, hanging ones too. May be called twice. */
  close(): Promise<void>;
}

export const startSimulator = async (options: SimulatorOptions = {}): Promise<Simulator> => {
  const setup = toSetup(options);
  const world = new World(setup);
  // The list is made before the first call, which would otherwise be the slow one.
  world.dataSet(false);
  const protocol = createProtocolListener(world);
  const control = createControl(world, protocol);
  const controlApp = createControlListener(control);
  protocol.listen(setup.port, setup.host);
  await once(protocol, 'listening');
  try {
    await controlApp.listen({ port: setup.controlPort, host: setup.host });
  } catch (error) {
    protocol.close();
    throw error;
  }
  return {
    url: toUrl(setup.host, protocol),
    controlUrl: toUrl(setup.host, controlApp.server),
    users: [DEMO_USER, LIMITED_USER, SECOND_USER],
    demo: DEMO_USER,
    control,
    close: async () => {
      await Promise.all([closeServer(protocol), controlApp.close()]);
    },
  };
};

const closeServer = async (server: Server): Promise<void> => {
  if (!server.listening) return;
  const closed = once(server, 'close');
  server.close();
  server.closeAllConnections();
  await closed;
};

const toUrl = (host: string, server: Server): string => {
  const { port } = server.address() as AddressInfo;
  return `http://${host.includes(':') ? `[${host}]` : host}:${port}`;
};
