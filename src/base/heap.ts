/** What a TimerHeap orders: anything with a due time and a place for the heap's own book-keeping. */
export interface HeapNode {
  /** When it is due, in microseconds. */
  dueUs: number;
  /** Breaks ties, so that nodes due at the same time come out in the order they were armed. */
  order: number;
  /** Position in the heap, -1 when it is not in one. Written by the heap alone. */
  heapIndex: number;
}

/** A binary heap of timers: the earliest first, removal from the middle in O(log n), ties in arming order. */
export class TimerHeap<T extends HeapNode> {
  private nodes: T[] = [];
  private armed = 0;

  get size(): number {
    return this.nodes.length;
  }

  /** The earliest node, or undefined when none is armed. */
  peek(): T | undefined {
    return this.nodes[0];
  }

  /** Arms `node` for `dueUs`; a node that is armed already moves. */
  set(node: T, dueUs: number): void {
    this.delete(node);
    node.dueUs = dueUs;
    node.order = this.armed++;
    this.nodes.push(node);
    this.up(this.nodes.length - 1, node);
  }

  /** Disarms `node`; does nothing when it is not armed. */
  delete(node: T): void {
    const index = node.heapIndex;
    if (index < 0) return;
    node.heapIndex = -1;
    const last = this.nodes.pop();
    if (last === undefined || last === node) return;
    if (this.up(index, last) === index) this.down(index, last);
  }

  /** Removes and returns the earliest node when it is due at `nowUs`, else undefined. */
  popDue(nowUs: number): T | undefined {
    const first = this.nodes[0];
    if (first === undefined || first.dueUs > nowUs) return undefined;
    this.delete(first);
    return first;
  }

  private up(start: number, node: T): number {
    let index = start;
    while (index > 0) {
      const parentIndex = (index - 1) >> 1;
      const parent = this.nodes[parentIndex] as T;
      if (!before(node, parent)) break;
      this.place(index, parent);
      index = parentIndex;
    }
    this.place(index, node);
    return index;
  }

  private down(start: number, node: T): void {
    let index = start;
    for (;;) {
      let childIndex = 2 * index + 1;
      let child = this.nodes[childIndex];
      if (child === undefined) break;
      const right = this.nodes[childIndex + 1];
      if (right !== undefined && before(right, child)) {
        child = right;
        childIndex++;
      }
      if (!before(child, node)) break;
      this.place(index, child);
      index = childIndex;
    }
    this.place(index, node);
  }

  private place(index: number, node: T): void {
    this.nodes[index] = node;
    node.heapIndex = index;
  }
}

function before(a: HeapNode, b: HeapNode): boolean {
  return a.dueUs < b.dueUs || (a.dueUs === b.dueUs && a.order < b.order);
}
