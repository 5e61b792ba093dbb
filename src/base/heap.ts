/** What a TimerHeap orders: anything with room for the heap's own book-keeping. */
export interface HeapNode {
  /** Position in the heap, -1 when it is not in one. Written by the heap alone. */
  heapIndex: number;
}

const FIRST_CAPACITY = 16;

/**
 * A binary heap of timers: the earliest first, removal from the middle in O(log n), ties in arming order. What is
 * compared lies in typed arrays beside the nodes: to read it from nodes of many classes would make garbage each time.
 * The arrays never shrink, for they would soon have to grow again.
 */
export class TimerHeap<T extends HeapNode> {
  private readonly nodes: (T | undefined)[] = [];
  private dues = new Float64Array(FIRST_CAPACITY);
  private orders = new Float64Array(FIRST_CAPACITY);
  private armed = 0;
  /** How many nodes are armed. */
  size = 0;

  /** When the earliest is due, in microseconds; Infinity when none is armed. */
  get nextUs(): number {
    return this.size === 0 ? Number.POSITIVE_INFINITY : (this.dues[0] as number);
  }

  /** When `node` is due, in microseconds; Infinity when it is not armed. */
  dueOf(node: T): number {
    return node.heapIndex < 0 ? Number.POSITIVE_INFINITY : (this.dues[node.heapIndex] as number);
  }

  /** Arms `node` for `dueUs`; a node that is armed already moves. */
  set(node: T, dueUs: number): void {
    this.delete(node);
    if (this.size === this.dues.length) this.grow();
    this.up(this.size++, node, dueUs, this.armed++);
  }

  /** Disarms `node`; does nothing when it is not armed. */
  delete(node: T): void {
    const index = node.heapIndex;
    if (index < 0) return;
    node.heapIndex = -1;
    this.size--;
    const last = this.nodes[this.size] as T;
    const dueUs = this.dues[this.size] as number;
    const order = this.orders[this.size] as number;
    this.nodes[this.size] = undefined;
    if (last === node) return;
    if (this.up(index, last, dueUs, order) === index) this.down(index, last, dueUs, order);
  }

  /** Removes and returns the earliest node when it is due at `nowUs`, else undefined. */
  popDue(nowUs: number): T | undefined {
    if (this.size === 0 || (this.dues[0] as number) > nowUs) return undefined;
    const first = this.nodes[0] as T;
    this.delete(first);
    return first;
  }

  private up(start: number, node: T, dueUs: number, order: number): number {
    let index = start;
    while (index > 0) {
      const parent = (index - 1) >> 1;
      if (!this.isAfter(parent, dueUs, order)) break;
      this.move(parent, index);
      index = parent;
    }
    this.place(index, node, dueUs, order);
    return index;
  }

  private down(start: number, node: T, dueUs: number, order: number): void {
    let index = start;
    for (;;) {
      let child = 2 * index + 1;
      if (child >= this.size) break;
      const right = child + 1;
      if (
        right < this.size &&
        this.isAfter(child, this.dues[right] as number, this.orders[right] as number)
      ) {
        child = right;
      }
      if (this.isAfter(child, dueUs, order)) break;
      this.move(child, index);
      index = child;
    }
    this.place(index, node, dueUs, order);
  }

  /** Whether what stands at `index` comes after the given time and order. */
  private isAfter(index: number, dueUs: number, order: number): boolean {
    const ownUs = this.dues[index] as number;
    return ownUs > dueUs || (ownUs === dueUs && (this.orders[index] as number) > order);
  }

  private move(from: number, to: number): void {
    this.place(to, this.nodes[from] as T, this.dues[from] as number, this.orders[from] as number);
  }

  private place(index: number, node: T, dueUs: number, order: number): void {
    this.nodes[index] = node;
    this.dues[index] = dueUs;
    this.orders[index] = order;
    node.heapIndex = index;
  }

  private grow(): void {
    const { dues, orders } = this;
    this.dues = new Float64Array(dues.length * 2);
    this.orders = new Float64Array(dues.length * 2);
    this.dues.set(dues);
    this.orders.set(orders);
  }
}
