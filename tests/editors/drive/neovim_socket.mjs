// Asks a running Neovim over its socket: as much msgpack-rpc as one call of nvim_exec_lua needs.
// (`nvim --remote-expr` does the same with a process a question, and was seen to hang.)
import net from 'node:net';

const REQUEST = 0;
const RESPONSE = 1;

export class NeovimSocket {
  #socket;
  #received = Buffer.alloc(0);
  #waiting = new Map();
  #number = 0;

  /** Connect; the socket's file is there a moment before anyone listens on it. */
  static async open(file, patienceMs = 10_000) {
    const end = Date.now() + patienceMs;
    for (;;) {
      const socket = net.connect(file);
      const error = await new Promise(resolve => socket.once('connect', () => resolve(undefined)).once('error', resolve));
      if (error === undefined) return new NeovimSocket(socket);
      if (Date.now() > end) throw error;
      await new Promise(resolve => setTimeout(resolve, 30));
    }
  }

  constructor(socket) {
    this.#socket = socket;
    this.#socket.on('data', piece => this.#take(piece));
    this.#socket.on('error', error => this.#failAll(error));
    this.#socket.on('close', () => this.#failAll(new Error('Neovim ended')));
  }

  /** JSON value of a Lua expression. */
  lua(expression, patienceMs = 5000) {
    const number = ++this.#number;
    const code = `return vim.json.encode({ v = ${expression} })`;
    this.#socket.write(Buffer.concat([Buffer.from([0x94, REQUEST]), uint32(number), text('nvim_exec_lua'), Buffer.from([0x92]), text(code), Buffer.from([0x90])]));
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => reject(new Error(`Neovim did not answer within ${patienceMs} ms: ${expression}`)), patienceMs);
      this.#waiting.set(number, (error, result) => {
        clearTimeout(timer);
        if (error) reject(error instanceof Error ? error : new Error(JSON.stringify(error)));
        else resolve(JSON.parse(result).v);
      });
    });
  }

  close() {
    this.#socket.destroy();
  }

  #take(piece) {
    this.#received = Buffer.concat([this.#received, piece]);
    for (;;) {
      const reader = new Reader(this.#received);
      let message;
      try {
        message = reader.value();
      } catch (error) {
        if (error instanceof RangeError) return; // not all of it is here
        throw error;
      }
      this.#received = this.#received.subarray(reader.at);
      if (message[0] !== RESPONSE) continue;
      this.#waiting.get(message[1])?.(message[2], message[3]);
      this.#waiting.delete(message[1]);
    }
  }

  #failAll(error) {
    for (const answer of this.#waiting.values()) answer(error);
    this.#waiting.clear();
  }
}

function uint32(number) {
  const buffer = Buffer.alloc(5);
  buffer[0] = 0xce;
  buffer.writeUInt32BE(number, 1);
  return buffer;
}

function text(string) {
  const bytes = Buffer.from(string);
  const head = Buffer.alloc(5);
  head[0] = 0xdb;
  head.writeUInt32BE(bytes.length, 1);
  return Buffer.concat([head, bytes]);
}

/** Reads one msgpack value; a RangeError says that bytes are missing. */
class Reader {
  at = 0;

  constructor(buffer) {
    this.buffer = buffer;
  }

  value() {
    const kind = this.number(1);
    if (kind <= 0x7f) return kind;
    if (kind <= 0x8f) return this.map(kind & 0x0f);
    if (kind <= 0x9f) return this.array(kind & 0x0f);
    if (kind <= 0xbf) return this.bytes(kind & 0x1f).toString();
    if (kind >= 0xe0) return kind - 256;
    switch (kind) {
      case 0xc0:
        return null;
      case 0xc2:
        return false;
      case 0xc3:
        return true;
      case 0xcc:
      case 0xcd:
      case 0xce:
        return this.number(2 ** (kind - 0xcc));
      case 0xc4:
      case 0xc5:
      case 0xc6:
        return this.bytes(this.number(2 ** (kind - 0xc4))).toString();
      case 0xd9:
      case 0xda:
      case 0xdb:
        return this.bytes(this.number(2 ** (kind - 0xd9))).toString();
      case 0xdc:
        return this.array(this.number(2));
      case 0xdd:
        return this.array(this.number(4));
      case 0xde:
        return this.map(this.number(2));
      default:
        throw new Error(`msgpack type ${kind.toString(16)} was not expected`);
    }
  }

  number(size) {
    const found = this.buffer.readUIntBE(this.at, size);
    this.at += size;
    return found;
  }

  bytes(size) {
    if (this.at + size > this.buffer.length) throw new RangeError('more to come');
    this.at += size;
    return this.buffer.subarray(this.at - size, this.at);
  }

  array(size) {
    return Array.from({ length: size }, () => this.value());
  }

  map(size) {
    return Object.fromEntries(Array.from({ length: size }, () => [this.value(), this.value()]));
  }
}
