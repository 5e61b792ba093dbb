import { test } from 'node:test';
import { turn } from '../../src/node/turn.ts';
import { type Played, play, SCENES, type Scene } from '../../src/scenes/index.ts';

/** What is played under this name over IPv4, or over IPv6. */
export function sceneNamed(name: string, ipv6 = false): Scene {
  const scene = SCENES.find(each => each.name === name);
  if (scene === undefined) throw new Error(`no scene ${name}`);
  return (ipv6 ? scene.overIpv6 : undefined) ?? scene;
}

/** Plays a scene by its name. */
export function played(name: string, seed = 1, ipv6 = false): Promise<Played> {
  return play(sceneNamed(name, ipv6), { seed, ipv6, turn });
}

/** Tests what a scene claims ('NAME: claim') over IPv4 and over IPv6. */
export function claim(
  text: string,
  check: (play: (seed?: number) => Promise<Played>) => Promise<void>,
): void {
  const name = text.slice(0, text.indexOf(':'));
  test(text, () => check(seed => played(name, seed)));
  test(`${text} (IPv6)`, () => check(seed => played(name, seed, true)));
}
