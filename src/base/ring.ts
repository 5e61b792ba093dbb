/** Of every empty ring: nothing is ever put into it, since a ring grows before it takes something. */
const NO_SLOTS = Object.freeze([]) as unknown as never[];

/**
 * A first-in, first-out queue over an array that grows by doubling; nothing is allocated until the first push.
 * Elements can be read by position, which the packet queues and the retransmission queue need.
 */
export class Ring<T> {
  private slots: (T | undefined)[] = NO_SLOTS;
  private head = 0;
  /** How many elements are queued. */
  length = 0;

  /** Appends at the tail. */
  push(item: T): void {
    if (this.length === this.slots.length) this.grow();
    this.slots[(this.head + this.length) & (this.slots.length - 1)] = item;
    this.length++;
  }

  /** Removes and returns the head, or undefined when empty. */
  shift(): T | undefined {
    if (this.length === 0) return undefined;
    const item = this.slots[this.head];
    this.slots[this.head] = undefined;
    this.head = (this.head + 1) & (this.slots.length - 1);
    this.length--;
    return item;
  }

  /** The element `index` places behind the head, or undefined when there is none. */
  at(index: number): T | undefined {
    if (index < 0 || index >= this.length) return undefined;
    return this.slots[(this.head + index) & (this.slots.length - 1)];
  }

  /** Replaces the element `index` places behind the head; the place must exist. */
  set(index: number, item: T): void {
    this.slots[(this.head + index) & (this.slots.length - 1)] = item;
  }

  /** Inserts before position `index` (0 .. length); moves what stands behind it. */
  insert(index: number, item: T): void {
    this.push(item);
    const mask = this.slots.length - 1;
    for (let i = this.length - 1; i > index; i--) {
      this.slots[(this.head + i) & mask] = this.slots[(this.head + i - 1) & mask];
    }
    this.slots[(this.head + index) & mask] = item;
  }

  /** Removes and returns the element at position `index`, or undefined when there is none. */
  remove(index: number): T | undefined {
    const item = this.at(index);
    if (item === undefined) return undefined;
    const mask = this.slots.length - 1;
    for (let i = index; i < this.length - 1; i++) {
      this.slots[(this.head + i) & mask] = this.slots[(this.head + i + 1) & mask];
    }
    this.length--;
    this.slots[(this.head + this.length) & mask] = undefined;
    return item;
  }

  /** Forgets every element and gives the memory back. */
  clear(): void {
    this.slots = NO_SLOTS;
    this.head = 0;
    this.length = 0;
  }

  private grow(): void {
    const old = this.slots;
    const size = Math.max(1, old.length * 2);
    const slots = new Array<T | undefined>(size);
    for (let i = 0; i < this.length; i++) slots[i] = old[(this.head + i) & (old.length - 1)];
    this.slots = slots;
    this.head = 0;
  }
}
