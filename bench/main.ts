import { type Benchmark, measure } from './benchmark.ts';
import { bulk, bulkGso, bulkLoss1, bulkLoss5 } from './bulk.ts';
import { connections } from './connections.ts';
import { http } from './http.ts';
import { idle } from './idle.ts';
import { ipv6 } from './ipv6.ts';
import { latency } from './latency.ts';
import { tap } from './tap.ts';

const BENCHMARKS: readonly Benchmark[] = [
  bulk,
  bulkGso,
  bulkLoss1,
  bulkLoss5,
  latency,
  connections,
  http,
  ...ipv6,
  ...idle,
  ...tap,
];

const USAGE = `Usage: npm run bench -- [--json] [NAME ...]

Measures the stack and, in the same run, what it is compared with.
  --json   one JSON object a line
  NAME     only these: ${BENCHMARKS.map(benchmark => benchmark.name).join(', ')}
`;

async function main(args: readonly string[]): Promise<number> {
  const json = args.includes('--json');
  const names = args.filter(arg => arg !== '--json');
  if (names.includes('--help') || names.includes('-h')) {
    process.stdout.write(USAGE);
    return 0;
  }
  const unknown = names.find(name => !BENCHMARKS.some(benchmark => benchmark.name === name));
  if (unknown !== undefined) {
    process.stderr.write(`bench: unknown benchmark or option '${unknown}'\n${USAGE}`);
    return 2;
  }
  for (const benchmark of BENCHMARKS) {
    if (names.length > 0 && !names.includes(benchmark.name)) continue;
    const reason = benchmark.skip?.() ?? null;
    if (reason !== null) {
      process.stderr.write(`${benchmark.name.padEnd(14)} SKIPPED: ${reason}\n`);
      continue;
    }
    const result = await measure(benchmark);
    const { name, unit, value, reference, referenceName, ratio } = result;
    const text = `${name.padEnd(14)} ${value} ${unit}; ${referenceName}: ${reference} ${unit}; ratio ${ratio}`;
    process.stdout.write(`${json ? JSON.stringify(result) : text}\n`);
  }
  return 0;
}

process.exitCode = await main(process.argv.slice(2));
