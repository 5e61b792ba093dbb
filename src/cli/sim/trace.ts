import { drawPlan } from '../../sim/draw-plan.ts';
import { createWorkshop, runWorld, type WorldResult } from '../../sim/run-world.ts';
import type { WorldPlan } from '../../sim/world-plan.ts';
import type { TraceEvent } from '../../trace/events.ts';
import { traceTo } from '../../trace/sink.ts';
import { eventLines } from '../../view/lines.ts';
import { print } from '../output.ts';
import { formatLast, formatSummary, formatViolation, formatWorld, Tally } from './report.ts';

/** Characters that are printed together. */
const CHUNK = 65_536;

/** Plays one world and prints its plan, every event, and what became of it. */
export function traceWorld(seed: number, json: boolean): WorldResult {
  const plan = drawPlan(seed);
  const tally = new Tally(seed);
  print(json ? `${JSON.stringify(plan)}\n` : formatPlan(plan));
  const format = json ? (event: TraceEvent): string => JSON.stringify(event) : textOfEvent();
  let text = '';
  const sink = traceTo(event => {
    const line = format(event);
    if (line !== '') text += `${line}\n`;
    if (text.length < CHUNK) return;
    print(text);
    text = '';
  });
  const result = runWorld(plan, createWorkshop(), sink);
  print(text);
  tally.add(result);
  if (json) print(formatWorld(result) + formatLast(tally));
  else print((result.ok ? '' : formatViolation(result)) + formatSummary(tally));
  return result;
}

/** Lines of all events but the applications' waiting, which is most of what they do. */
function textOfEvent(): (event: TraceEvent) => string {
  const lines = eventLines();
  return event => (event.type === 'call' && event.name.startsWith('epoll') ? '' : lines(event));
}

function formatPlan(plan: WorldPlan): string {
  const { network, servers, transfers, chatters, incidents } = plan;
  const section = (title: string, items: readonly unknown[]): string[] =>
    items.length === 0 ? [] : [title, ...items.map(item => `  ${JSON.stringify(item)}`)];
  const { offloads, packets } = network;
  const kind = plan.calm ? 'calm: every transfer must finish' : 'anything may happen';
  const lines = [
    `World ${plan.seed}, ${kind}${offloads ? ', with offloads' : ''}${packets === null ? '' : `, ${packets} packets`}`,
    ...section('Hosts', network.hosts),
    ...section('Switches', network.switches),
    ...section('Cables', network.cables),
    ...section('Servers', servers),
    ...section('Transfers', transfers),
    ...section('Datagrams', chatters),
    ...section('Incidents', incidents),
    '',
  ];
  return `${lines.join('\n')}\n`;
}
