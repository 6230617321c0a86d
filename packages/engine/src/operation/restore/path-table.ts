// The paths of very many files by number, in about as many bytes as they have letters: as strings of JavaScript, each with
// what was joined to it, a million take several times as much, and every worker would get them all.

const BYTES_FIRST = 64 * 1024;
const COUNT_FIRST = 1024;

export class PathTable implements Iterable<string> {
  #bytes = Buffer.allocUnsafeSlow(BYTES_FIRST);
  /** Where each ends. */
  #ends = new Float64Array(COUNT_FIRST);
  #length = 0;

  get length(): number {
    return this.#length;
  }

  /** Its number is how many there were before. */
  add(path: string): void {
    const start = this.#startOf(this.#length);
    const bytes = Buffer.byteLength(path);
    if (start + bytes > this.#bytes.length) {
      const larger = Buffer.allocUnsafeSlow(Math.max(this.#bytes.length * 2, start + bytes));
      this.#bytes.copy(larger, 0, 0, start);
      this.#bytes = larger;
    }
    if (this.#length === this.#ends.length) {
      const larger = new Float64Array(this.#ends.length * 2);
      larger.set(this.#ends);
      this.#ends = larger;
    }
    this.#bytes.write(path, start);
    this.#ends[this.#length++] = start + bytes;
  }

  /** Throws RangeError where there is none of that number. */
  at(number: number): string {
    if (number < 0 || number >= this.#length) throw new RangeError(`there is no path number ${number}`);
    return this.#bytes.toString('utf8', this.#startOf(number), this.#ends[number]);
  }

  *[Symbol.iterator](): IterableIterator<string> {
    for (let number = 0; number < this.#length; number++) yield this.at(number);
  }

  #startOf(number: number): number {
    return number === 0 ? 0 : (this.#ends[number - 1] ?? 0);
  }
}
