/**
 * The least, or the largest, value of a sliding window, with three samples instead of all (Kathleen Nichols' algorithm,
 * as in Linux's win_minmax): the best, the best of what came after it, and the best of what came after that. It is
 * exact while the best one is young, and never older than the window. Time may be counted in anything that grows.
 */
export class RunningExtreme {
  private readonly sign: 1 | -1;
  private at1 = 0;
  private value1 = 0;
  private at2 = 0;
  private value2 = 0;
  private at3 = 0;
  private value3 = 0;

  constructor(kind: 'least' | 'largest') {
    this.sign = kind === 'least' ? 1 : -1;
  }

  /** The extreme of the window that ended with the last sample; 0 before the first. */
  get value(): number {
    return this.value1;
  }

  /** Forgets everything but one sample. */
  reset(at: number, value: number): void {
    this.at1 = this.at2 = this.at3 = at;
    this.value1 = this.value2 = this.value3 = value;
  }

  /** Takes a sample, not older than the last one; returns the extreme of the last `length` units of time. */
  add(length: number, at: number, value: number): number {
    if (this.isNoWorse(value, this.value1) || at - this.at3 > length) {
      this.reset(at, value);
      return value;
    }
    if (this.isNoWorse(value, this.value2)) {
      this.setSecond(at, value);
      this.setThird(at, value);
    } else if (this.isNoWorse(value, this.value3)) {
      this.setThird(at, value);
    }
    this.age(length, at, value);
    return this.value1;
  }

  /** Lets go of what is too old, and sees to it that there are successors from later parts of the window. */
  private age(length: number, at: number, value: number): void {
    const elapsed = at - this.at1;
    if (elapsed > length) {
      this.advance(at, value);
      // The second may be too old as well; the third is not.
      if (at - this.at1 > length) this.advance(at, value);
    } else if (this.at2 === this.at1 && elapsed > length / 4) {
      this.setSecond(at, value);
      this.setThird(at, value);
    } else if (this.at3 === this.at2 && elapsed > length / 2) {
      this.setThird(at, value);
    }
  }

  private advance(at: number, value: number): void {
    this.at1 = this.at2;
    this.value1 = this.value2;
    this.setSecond(this.at3, this.value3);
    this.setThird(at, value);
  }

  private setSecond(at: number, value: number): void {
    this.at2 = at;
    this.value2 = value;
  }

  private setThird(at: number, value: number): void {
    this.at3 = at;
    this.value3 = value;
  }

  private isNoWorse(value: number, than: number): boolean {
    return this.sign * value <= this.sign * than;
  }
}
