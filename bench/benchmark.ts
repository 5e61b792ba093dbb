/** One thing to measure, on our stack and on what it is compared with. More is better. */
export interface Benchmark {
  readonly name: string;
  readonly unit: string;
  readonly referenceName: string;
  /** How often each is measured; the two take turns, and the median counts. */
  readonly rounds: number;
  /** Why it cannot run here; null when it can. */
  skip?(): string | null;
  /** One measurement, in `unit`; `scale` (0 .. 1) shortens the work for warming up. */
  ours(scale: number): Promise<number>;
  reference(scale: number): Promise<number>;
  /** Removes what the measurements have in common, also when one has failed. */
  finish?(): void;
}

/** What is printed: one JSON object a line with --json. */
export interface BenchmarkResult {
  readonly name: string;
  readonly unit: string;
  readonly value: number;
  readonly reference: number;
  readonly referenceName: string;
  /** value / reference. */
  readonly ratio: number;
}

const WARM_UP = 0.1;

/** Measures both sides in turn, after a short run of each that does not count. */
export async function measure(benchmark: Benchmark): Promise<BenchmarkResult> {
  const ours: number[] = [];
  const references: number[] = [];
  try {
    await benchmark.ours(WARM_UP);
    await benchmark.reference(WARM_UP);
    for (let round = 0; round < benchmark.rounds; round++) {
      ours.push(await benchmark.ours(1));
      references.push(await benchmark.reference(1));
    }
  } finally {
    benchmark.finish?.();
  }
  const { name, unit, referenceName } = benchmark;
  const value = median(ours);
  const reference = median(references);
  return {
    name,
    unit,
    value: round3(value),
    reference: round3(reference),
    referenceName,
    ratio: round3(value / reference),
  };
}

function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[sorted.length >> 1] as number;
}

/** Three significant digits say all there is to know. */
function round3(value: number): number {
  return Number(value.toPrecision(3));
}
