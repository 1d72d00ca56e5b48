import { access, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import process from 'node:process';
import { type BrowserContext, chromium } from 'playwright-core';
import type t from 'tap';

const BROWSERS = ['chromium', 'chromium-browser', 'google-chrome', 'google-chrome-stable'];

/** Why tests in a browser are skipped. */
export const NO_BROWSER = `no browser on the PATH (${BROWSERS.join(', ')}): the page was NOT tested`;

/** The path of a Chromium. @throws if there is none and `REQUIRE_BROWSER` is set, so that a test cannot be skipped silently */
export async function findBrowser(): Promise<string | undefined> {
  for (const folder of (process.env.PATH ?? '').split(delimiter)) {
    for (const name of BROWSERS) {
      const path = join(folder, name);
      const isThere = await access(path).then(
        () => true,
        () => false,
      );
      if (isThere) return path;
    }
  }
  if (process.env.REQUIRE_BROWSER) throw new Error(NO_BROWSER);
  return undefined;
}

/** Starts a headless browser with an empty profile, and stops it at the end of the test. */
export async function openBrowser(tap: Pick<typeof t, 'teardown'>, executablePath: string): Promise<BrowserContext> {
  const folder = await mkdtemp(join(tmpdir(), 'browser-test-'));
  const context = await chromium.launchPersistentContext(folder, {
    executablePath,
    headless: true,
    viewport: { width: 1_400, height: 1_000 },
    args: [
      '--no-sandbox',
      '--disable-gpu',
      '--disable-quic',
      '--no-first-run',
      '--disable-background-networking',
      '--disable-component-update',
      '--disable-sync',
    ],
  });
  tap.teardown(async () => {
    await context.close();
    await rm(folder, { recursive: true, force: true });
  });
  return context;
}
