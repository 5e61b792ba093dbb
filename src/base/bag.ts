/** What a Bag holds: something that keeps its own place there. */
export interface BagItem {
  /** Position in the bag, -1 when it is in none. Written by the bag alone. */
  bagIndex: number;
}

/**
 * A set of things that come and go all the time, in no order. Unlike a Set it makes no garbage: a Set moves to a new
 * table every so often, and an old table that has outlived a collection keeps alive whatever stood in it.
 */
export class Bag<T extends BagItem> implements Iterable<T> {
  private readonly items: (T | undefined)[] = [];
  /** How many things are in it. */
  size = 0;

  /** Puts `item` in; it must be in no bag. */
  add(item: T): void {
    item.bagIndex = this.size;
    this.items[this.size++] = item;
  }

  /** Takes `item` out; false when it was not in. */
  delete(item: T): boolean {
    const index = item.bagIndex;
    if (index < 0) return false;
    const last = this.items[--this.size] as T;
    this.items[index] = last;
    last.bagIndex = index;
    this.items[this.size] = undefined;
    item.bagIndex = -1;
    return true;
  }

  /** What is in it; nothing may be added or taken out meanwhile. */
  *[Symbol.iterator](): IterableIterator<T> {
    for (let index = 0; index < this.size; index++) yield this.items[index] as T;
  }
}
