/**
 * When a server that died is started again. Not here: starting it.
 *
 * A server that lived long enough clears the record, so an editor that stays open for weeks is never
 * punished for old crashes. Five kills within three minutes must not cost the user the assistant:
 * the waits of the first five deaths add up to under five seconds.
 */

const LONG_LIFE_MS = 60_000;
const WAITS_MS = [0, 250, 500, 1000, 2000, 4000, 8000, 15_000];

export class CrashPolicy {
  #shortLives = 0;

  /** Milliseconds to wait before the next start, or undefined to give up. */
  afterDeath(livedMs: number): number | undefined {
    if (livedMs >= LONG_LIFE_MS) this.#shortLives = 0;
    const wait = WAITS_MS[this.#shortLives];
    this.#shortLives += 1;
    return wait;
  }

  /** The user asked for a start: old crashes no longer count. */
  forget(): void {
    this.#shortLives = 0;
  }
}
