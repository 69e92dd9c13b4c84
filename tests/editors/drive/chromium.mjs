// The headless browser that VS Code and the terminal are shown in.
import { createRequire } from 'node:module';
import path from 'node:path';

const ARGUMENTS = [
  '--no-sandbox', // in containers; it shows our own pages alone
  '--disable-gpu',
  '--disable-quic',
  '--no-first-run',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
  '--disable-features=Translate,MediaRouter,OptimizationHints',
];

/** A fresh browser profile in `profile`; `editors` is where the drivers were installed. */
export async function openBrowser(editors, profile, viewport) {
  const { chromium } = createRequire(path.join(editors, 'package.json'))('playwright-core');
  const context = await chromium.launchPersistentContext(profile, {
    executablePath: process.env.GLM_CHROMIUM ?? '/usr/bin/chromium',
    headless: true,
    viewport,
    deviceScaleFactor: 1.5,
    colorScheme: 'dark',
    args: ARGUMENTS,
  });
  context.setDefaultTimeout(30_000);
  return { context, page: context.pages()[0] ?? (await context.newPage()) };
}
