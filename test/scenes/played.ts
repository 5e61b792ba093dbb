import { turn } from '../../src/node/turn.ts';
import { type Played, play, SCENES, type Scene } from '../../src/scenes/index.ts';

/** The scene of this name. */
export function sceneNamed(name: string): Scene {
  const scene = SCENES.find(each => each.name === name);
  if (scene === undefined) throw new Error(`no scene ${name}`);
  return scene;
}

/** Plays a scene by its name. */
export function played(name: string, seed = 1): Promise<Played> {
  return play(sceneNamed(name), { seed, turn });
}
