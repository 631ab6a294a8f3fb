# SPDX-License-Identifier: Apache-2.0
"""Makes random valid WebAssembly modules from a seed: Module(seed).wasm, and .calls to try.

Every module ends: entering a function and passing a loop's head use up a counter, and `unreachable` follows when it is
empty. NaNs that arithmetic makes have no defined bits, so a float is made canonical before anything looks at its bits.
Exports: f0.. (floats go in and out as integers of their bits), hash (of the memory), globals.
"""
import random
import struct

I32, I64, F32, F64, FUNCREF, EXTERNREF = 0x7f, 0x7e, 0x7d, 0x7c, 0x70, 0x6f
NUMBERS = (I32, I64, F32, F64)
COUNTER = 1000  # loop passes and calls of one exported call
CALL_COST = 8  # so that calls do not go too deep for a small stack
BODY_MAX = 500  # bytes, about
MEMORY_MASK = 0x3ff

UNARY = {I32: [0x67, 0x68, 0x69, 0xc0, 0xc1], I64: [0x79, 0x7a, 0x7b, 0xc2, 0xc3, 0xc4],
         F32: range(0x8b, 0x92), F64: range(0x99, 0xa0)}
BINARY = {I32: [0x6a, 0x6b, 0x6c, *range(0x71, 0x79)], I64: [0x7c, 0x7d, 0x7e, *range(0x83, 0x8b)],
          F32: range(0x92, 0x98), F64: range(0xa0, 0xa6)}
DIVIDE = {I32: range(0x6d, 0x71), I64: range(0x7f, 0x83)}
COMPARE = {I32: range(0x46, 0x50), I64: range(0x51, 0x5b), F32: range(0x5b, 0x61), F64: range(0x61, 0x67)}
CONVERT = {I32: [(I64, [0xa7])], I64: [(I32, [0xac]), (I32, [0xad])],
           F32: [(I32, [0xb2]), (I32, [0xb3]), (I64, [0xb4]), (I64, [0xb5]), (F64, [0xb6]), (I32, [0xbe])],
           F64: [(I32, [0xb7]), (I32, [0xb8]), (I64, [0xb9]), (I64, [0xba]), (F32, [0xbb]), (I64, [0xbf])]}
SATURATE = {I32: [(F32, [0xfc, 0]), (F32, [0xfc, 1]), (F64, [0xfc, 2]), (F64, [0xfc, 3])],
            I64: [(F32, [0xfc, 4]), (F32, [0xfc, 5]), (F64, [0xfc, 6]), (F64, [0xfc, 7])]}
TRUNCATE = {I32: [(F32, [0xa8]), (F32, [0xa9]), (F64, [0xaa]), (F64, [0xab])],
            I64: [(F32, [0xae]), (F32, [0xaf]), (F64, [0xb0]), (F64, [0xb1])]}
LOAD = {I32: [(0x28, 2), (0x2c, 0), (0x2d, 0), (0x2e, 1), (0x2f, 1)],
        I64: [(0x29, 3), (0x30, 0), (0x31, 0), (0x32, 1), (0x33, 1), (0x34, 2), (0x35, 2)],
        F32: [(0x2a, 2)], F64: [(0x2b, 3)]}
STORE = {I32: [(0x36, 2), (0x3a, 0), (0x3b, 1)], I64: [(0x37, 3), (0x3c, 0), (0x3d, 1), (0x3e, 2)],
         F32: [(0x38, 2)], F64: [(0x39, 3)]}
INTS = [0, 1, 2, 3, 5, 7, 8, 10, 16, 31, 32, 33, 63, 64, 100, 127, 128, 255, 256, 1000, 0x7fff, 0x8000, 0xffff, 0x10000,
        0x7ffffffe, 0x7fffffff, -1, -2, -3, -8, -127, -128, -129, -32768, -32769, -0x80000000]
FLOATS = [0.0, -0.0, 1.0, -1.0, 0.5, -0.5, 1.5, 2.5, -2.5, 3.75, 100.0, 1e10, -1e10, 2147483647.0, 2147483648.0,
          -2147483648.0, -2147483649.0, 4294967295.0, 4294967296.0, 9.2e18, 9.3e18, -9.3e18, 1.8e19, 1e-40, 1e38,
          float("inf"), float("-inf"), float("nan")]


def unsigned(v):
    out = bytearray()
    while True:
        byte = v & 0x7f
        v >>= 7
        out.append(byte | (0x80 if v else 0))
        if not v:
            return bytes(out)


def signed(v):
    out = bytearray()
    while True:
        byte = v & 0x7f
        v >>= 7
        done = (v == 0 and not byte & 0x40) or (v == -1 and byte & 0x40)
        out.append(byte | (0 if done else 0x80))
        if done:
            return bytes(out)


def vector(items):
    items = list(items)
    return unsigned(len(items)) + b"".join(items)


def name(text):
    raw = text.encode()
    return unsigned(len(raw)) + raw


def section(number, content):
    return bytes([number]) + unsigned(len(content)) + content


def wrap(v, bits):
    v &= (1 << bits) - 1
    return v - (1 << bits) if v >> (bits - 1) else v


def as_int(t):
    return {F32: I32, F64: I64}.get(t, t)


class Function:
    """One function being made: its type, locals and code."""

    def __init__(self, module, params, results, number=-1):
        self.m, self.r = module, module.random
        self.place = number  # calls go to functions with a higher one, mostly
        self.params, self.results = params, results
        self.locals = list(params)
        self.code = bytearray()
        self.labels = [list(results)]  # what a branch to each label carries; the innermost last
        self.loops = [False]

    # ---- pieces

    def op(self, *codes):
        self.code += bytes(codes)

    def index(self, op, v):
        self.code += bytes([op]) + unsigned(v)

    def new_local(self, t):
        self.locals.append(t)
        return len(self.locals) - 1

    def a_local(self, t):
        found = [i for i, kind in enumerate(self.locals) if kind == t]
        return self.r.choice(found) if found and self.r.random() < 0.9 else self.new_local(t)

    def number(self, t):
        r = self.r
        if t in (I32, I64):
            bits = 32 if t == I32 else 64
            v = r.choice(INTS) if r.random() < 0.7 else r.getrandbits(r.choice((4, 8, 16, 32, bits)))
            self.code += bytes([0x41 if t == I32 else 0x42]) + signed(wrap(v, bits))
        elif t == F32:
            raw = struct.pack("<f", r.choice(FLOATS)) if r.random() < 0.8 else struct.pack("<I", r.getrandbits(32))
            self.code += b"\x43" + raw
        elif t == F64:
            raw = struct.pack("<d", r.choice(FLOATS)) if r.random() < 0.8 else struct.pack("<Q", r.getrandbits(64))
            self.code += b"\x44" + raw
        elif t == FUNCREF and r.random() < 0.7:
            self.index(0xd2, r.choice(self.m.declared))
        else:
            self.op(0xd0, t)

    def canonical(self, t):
        """Makes a NaN on top of the stack the canonical one."""
        if t not in (F32, F64):
            return
        x = self.new_local(t)
        self.index(0x22, x)
        self.code += b"\x43" + struct.pack("<I", 0x7fc00000) if t == F32 else b"\x44" + struct.pack("<Q", 0x7ff8 << 48)
        self.index(0x20, x)
        self.index(0x20, x)
        self.op(0x5b if t == F32 else 0x61, 0x1b)

    def bits(self, t):
        """Turns a float on top of the stack into its bits."""
        self.canonical(t)
        if t in (F32, F64):
            self.op(0xbc if t == F32 else 0xbd)

    def use_counter(self, cost=1):
        self.op(0x23, 0, 0x41, cost, 0x49, 0x04, 0x40, 0x00, 0x0b)  # if (counter < cost) unreachable
        self.op(0x23, 0, 0x41, cost, 0x6b, 0x24, 0)  # counter = counter - cost

    def block_type(self, params, results):
        if not params and not results:
            self.op(0x40)
        elif not params and len(results) == 1 and self.r.random() < 0.9:
            self.op(results[0])
        else:
            self.code += signed(self.m.type_idx(params, results))

    def enter(self, op, params, results):
        self.op(op)
        self.block_type(params, results)
        loop = op == 0x03
        self.labels.append(list(params if loop else results))
        self.loops.append(loop)

    def leave(self):
        self.op(0x0b)
        self.labels.pop()
        self.loops.pop()

    def full(self):
        return len(self.code) > BODY_MAX

    # ---- expressions

    def expr(self, t, depth):
        r = self.r
        if depth <= 0 or self.full():
            self.leaf(t)
            return
        kinds = [self.leaf, self.tee, self.in_block, self.in_if, self.in_loop, self.select, self.call, self.call_indirect,
                 self.branch_with, self.diverge]
        weights = [6, 3, 2, 2, 1, 2, 2, 1, 1, 0.4]
        if t in NUMBERS:
            kinds += [self.unary, self.binary, self.load, self.convert]
            weights += [3, 12, 4, 3]
        if t in (I32, I64):
            kinds += [self.divide, self.saturate, self.truncate]
            weights += [2, 1, 0.4]
        if t == I32:
            kinds += [self.compare, self.special]
            weights += [5, 1]
        if t in (F32, F64):
            kinds += [self.copysign]
            weights += [0.5]
        if t == FUNCREF:
            kinds += [self.table_get]
            weights += [4]
        r.choices(kinds, weights)[0](t, depth - 1)

    def leaf(self, t, depth=0):
        r = self.r
        globals_ = [i for i, g in enumerate(self.m.globals) if g == t and i > 0]
        choice = r.random()
        if choice < 0.55:
            self.index(0x20, self.a_local(t))
        elif choice < 0.7 and globals_:
            self.index(0x23, r.choice(globals_))
        else:
            self.number(t)

    def tee(self, t, depth):
        self.expr(t, depth)
        self.index(0x22, self.a_local(t))

    def unary(self, t, depth):
        self.expr(t, depth)
        self.op(self.r.choice(UNARY[t]))

    def binary(self, t, depth):
        self.expr(t, depth)
        self.expr(t, depth if self.r.random() < 0.6 else 0)
        self.op(self.r.choice(BINARY[t]))

    def divide(self, t, depth):
        self.expr(t, depth)
        self.expr(t, depth)
        if self.r.random() < 0.8:
            self.op(*((0x41, 1, 0x72) if t == I32 else (0x42, 1, 0x84)))
        self.op(self.r.choice(DIVIDE[t]))

    def copysign(self, t, depth):
        for _ in range(2):
            self.expr(t, depth)
            self.canonical(t)
        self.op(0x98 if t == F32 else 0xa6)

    def convert(self, t, depth):
        if t in (I32, I64) and self.r.random() < 0.3:
            source = F32 if t == I32 else F64
            self.expr(source, depth)
            self.bits(source)
            return
        source, op = self.r.choice(CONVERT[t])
        self.expr(source, depth)
        self.op(*op)

    def saturate(self, t, depth):
        source, op = self.r.choice(SATURATE[t])
        self.expr(source, depth)
        self.op(*op)

    def truncate(self, t, depth):
        source, op = self.r.choice(TRUNCATE[t])
        self.expr(source, depth)
        self.op(*op)

    def compare(self, t, depth):
        kind = self.r.choice(NUMBERS)
        if kind in (I32, I64) and self.r.random() < 0.2:
            self.expr(kind, depth)
            self.op(0x45 if kind == I32 else 0x50)
            return
        self.expr(kind, depth)
        self.expr(kind, depth if self.r.random() < 0.5 else 0)
        self.op(self.r.choice(COMPARE[kind]))

    def special(self, t, depth):
        choice = self.r.randrange(5)
        if choice == 0:
            self.op(0x3f, 0)
        elif choice == 1:
            self.op(0x41, self.r.choice((0, 0, 1, 1, 2)), 0x40, 0)
        elif choice == 2:
            self.op(0xfc, 16, self.r.randrange(len(self.m.tables)))
        else:
            self.expr(FUNCREF, depth)
            self.op(0xd1)

    def address(self, depth):
        self.expr(I32, depth)
        if self.r.random() < 0.95:
            self.code += b"\x41" + signed(MEMORY_MASK) + b"\x71"

    def memarg(self, align):
        offset = self.r.choice((0, 0, 0, 1, 2, 4, 8, 12, 16, 60, 100, 255, 256, 65536, 131072))
        if offset >= 65536 and self.r.random() < 0.8:
            offset = 4
        if self.r.random() < 0.01:
            offset = self.r.choice((0xfffffff0, 0xffffffff))
        self.code += unsigned(self.r.randint(0, align)) + unsigned(offset)

    def load(self, t, depth):
        self.address(depth)
        op, align = self.r.choice(LOAD[t])
        self.op(op)
        self.memarg(align)

    def select(self, t, depth):
        self.expr(t, depth)
        self.expr(t, depth)
        self.expr(I32, depth)
        if t in NUMBERS and self.r.random() < 0.8:
            self.op(0x1b)
        else:
            self.op(0x1c, 1, t)

    def in_block(self, t, depth):
        self.enter(0x02, [], [t])
        self.statements(depth)
        self.expr(t, depth)
        self.leave()

    def in_if(self, t, depth):
        self.expr(I32, depth)
        self.enter(0x04, [], [t])
        self.statements(depth)
        self.expr(t, depth)
        self.op(0x05)
        self.statements(depth)
        self.expr(t, depth)
        self.leave()

    def again(self, depth):
        """Goes back to the loop's head on any condition, but not often."""
        turns = self.new_local(I32)
        self.expr(I32, depth)
        self.index(0x20, turns)
        self.op(0x41, 1, 0x6a)
        self.index(0x22, turns)
        self.op(0x41, self.r.randrange(2, 12), 0x49, 0x71)
        self.index(0x0d, 0)

    def in_loop(self, t, depth):
        self.enter(0x03, [], [t])
        self.use_counter()
        self.statements(depth)
        if self.r.random() < 0.6:
            self.again(depth)
        self.expr(t, depth)
        self.leave()

    def callable(self, fits):
        """Functions whose type fits, mostly such as do not call back; maybe none."""
        recursive = self.r.random() < 0.1
        return [i for i, s in enumerate(self.m.signatures) if fits(s) and (i > self.place or recursive)]

    def call(self, t, depth):
        found = self.callable(lambda s: t in s[1])
        if not found:
            self.leaf(t)
            return
        callee = self.r.choice(found)
        params, results = self.m.signatures[callee]
        for p in params:
            self.expr(p, depth - 1)
        self.index(0x10, callee)
        self.keep_one(results, t)

    def table_index(self, callee):
        """An index into table 0, of callee if it is there."""
        found = [i for i, f in enumerate(self.m.elements) if f == callee]
        if found and self.r.random() < 0.9:
            self.op(0x41, self.r.choice(found))
        else:
            self.expr(I32, 0)
            self.op(0x41, 7, 0x71)

    def call_indirect(self, t, depth):
        found = self.callable(lambda s: t in s[1])
        if not found:
            self.leaf(t)
            return
        callee = self.r.choice(found)
        params, results = self.m.signatures[callee]
        for p in params:
            self.expr(p, depth - 1)
        self.table_index(callee)
        self.op(0x11)
        self.code += unsigned(self.m.type_idx(params, results)) + b"\x00"
        self.keep_one(results, t)

    def keep_one(self, results, t):
        """Leaves one of several results, of type t."""
        at = self.r.choice([i for i, kind in enumerate(results) if kind == t])
        for _ in results[at + 1:]:
            self.op(0x1a)
        if at > 0:
            x = self.new_local(t)
            self.index(0x21, x)
            for _ in results[:at]:
                self.op(0x1a)
            self.index(0x20, x)

    def branch_with(self, t, depth):
        """br_if with a value, which stays when it is not taken."""
        found = [i for i, carried in enumerate(reversed(self.labels)) if carried == [t]]
        if not found:
            return self.binary(t, depth) if t in NUMBERS else self.leaf(t)
        self.expr(t, depth)
        self.expr(I32, depth)
        self.index(0x0d, self.r.choice(found))

    def table_get(self, t, depth):
        self.expr(I32, 0)
        self.op(0x41, 7, 0x71, 0x25, self.r.randrange(len(self.m.tables)))

    def diverge(self, t, depth):
        """Leaves for good, in one arm of an if, so that dead code follows."""
        self.expr(I32, depth)
        self.enter(0x04, [], [t])
        self.leap(depth)
        if self.r.random() < 0.5:
            self.dead_code(t)
        self.op(0x05)
        self.expr(t, depth)
        self.leave()

    def dead_code(self, t):
        if t in NUMBERS and self.r.random() < 0.5:
            self.op(self.r.choice(BINARY[t]))  # operands out of nowhere
        elif self.r.random() < 0.5:
            self.statements(0)
            self.expr(t, 1)

    # ---- statements

    def statements(self, depth):
        for _ in range(self.r.randrange(0, 3)):
            if not self.full():
                self.statement(depth)

    def statement(self, depth):
        kinds = [self.set_local, self.set_global, self.store, self.drop, self.if_then, self.loop, self.block, self.branch_if,
                 self.switch, self.bulk, self.call_for_effect, self.pass_params]
        weights = [10, 4, 8, 2, 4, 3, 2, 3, 2, 1, 2, 1.5]
        self.r.choices(kinds, weights)[0](depth - 1)

    def set_local(self, depth):
        t = self.r.choice(NUMBERS) if self.r.random() < 0.95 else FUNCREF
        self.expr(t, depth)
        self.index(0x21, self.a_local(t))

    def set_global(self, depth):
        i = self.r.randrange(1, len(self.m.globals))
        self.expr(self.m.globals[i], depth)
        self.index(0x24, i)

    def store(self, depth):
        t = self.r.choice(NUMBERS)
        self.address(depth)
        self.expr(t, depth)
        self.canonical(t)
        op, align = self.r.choice(STORE[t])
        self.op(op)
        self.memarg(align)

    def drop(self, depth):
        self.expr(self.r.choice(NUMBERS), depth)
        self.op(0x1a)

    def if_then(self, depth):
        self.expr(I32, depth)
        self.enter(0x04, [], [])
        self.statements(depth)
        if self.r.random() < 0.3:
            self.leap(depth)
        if self.r.random() < 0.5:
            self.op(0x05)
            self.statements(depth)
        self.leave()

    def loop(self, depth):
        """A loop with a local that counts, or one with any condition."""
        if self.r.random() < 0.6:
            i = self.new_local(I32)
            self.enter(0x03, [], [])
            self.use_counter()
            self.statements(depth)
            self.index(0x20, i)
            self.op(0x41, 1, 0x6a)
            self.index(0x22, i)
            self.op(0x41, self.r.randrange(1, 20), self.r.choice((0x48, 0x47, 0x49)))
            self.index(0x0d, 0)
            self.leave()
            return
        self.enter(0x03, [], [])
        self.use_counter()
        self.statements(depth)
        self.again(depth)
        self.leave()

    def block(self, depth):
        self.enter(0x02, [], [])
        self.statements(depth)
        self.leave()

    def targets(self):
        """Labels that carry nothing, few of them loops'; passing to a loop's is counted at its head."""
        back = self.r.random() < 0.1
        labels = zip(reversed(self.labels), reversed(self.loops))
        return [i for i, (carried, loop) in enumerate(labels) if not carried and (back or not loop)]

    def branch_if(self, depth):
        found = self.targets()
        if found:
            self.expr(I32, depth)
            self.index(0x0d, self.r.choice(found))

    def leap(self, depth):
        """br, return, a tail call or unreachable: nothing after it runs."""
        choice = self.r.random()
        if choice < 0.5:
            i = self.r.choice([i for i, loop in enumerate(reversed(self.loops)) if not loop or self.r.random() < 0.1])
            for t in self.labels[-1 - i]:
                self.expr(t, depth)
            self.index(0x0c, i)
        elif choice < 0.8 or not self.m.tail_calls or not self.callable(lambda s: s[1] == self.results):
            for t in self.results:
                self.expr(t, depth)
            self.op(0x0f)
        elif choice < 0.97:
            self.tail_call(depth)
        else:
            self.op(0x00)

    def tail_call(self, depth):
        found = self.callable(lambda s: s[1] == self.results)
        if not found:
            self.op(0x00)
            return
        callee = self.r.choice(found)
        for p in self.m.signatures[callee][0]:
            self.expr(p, depth - 1)
        if self.r.random() < 0.7:
            self.index(0x12, callee)
        else:
            self.table_index(callee)
            self.op(0x13)
            self.code += unsigned(self.m.type_idx(*self.m.signatures[callee])) + b"\x00"

    def switch(self, depth):
        """br_table out of nested blocks."""
        count = self.r.randrange(1, 5)
        for _ in range(count):
            self.enter(0x02, [], [])
        self.expr(I32, depth)
        if self.r.random() < 0.7:
            self.op(0x41, 7, 0x71)
        found = self.targets()
        wanted = [self.r.choice(found) for _ in range(self.r.randrange(0, 8))]
        self.op(0x0e)
        self.code += vector(unsigned(w) for w in wanted) + unsigned(self.r.choice(found))
        for _ in range(count):
            self.leave()
            self.statements(depth)

    def bulk(self, depth):
        choice = self.r.randrange(8)
        if choice < 4:
            self.address(depth)
            self.address(depth) if choice == 0 else self.expr(I32, 0)
            self.code += b"\x41" + signed(self.r.randrange(0, 200))
            if choice == 0:
                self.op(0xfc, 10, 0, 0)
            elif choice == 1:
                self.op(0xfc, 11, 0)
            elif choice == 2:
                self.code += b"\x1a\x1a\x41" + signed(self.r.randrange(0, 12)) + b"\x41" + signed(self.r.randrange(0, 8))
                self.op(0xfc, 8, self.r.randrange(2), 0)
            else:
                self.op(0x1a, 0x1a, 0x1a)
        elif choice == 4:
            self.op(0xfc, 9, 1)
        elif choice == 5:
            table = self.r.randrange(len(self.m.tables))
            self.op(0x41, self.r.randrange(10), 0x41, self.r.randrange(10), 0x41, self.r.randrange(4))
            self.op(0xfc, 14, table, self.r.randrange(len(self.m.tables)))
        elif choice == 6:
            self.op(0x41, self.r.randrange(10))
            self.expr(FUNCREF, 0)
            if self.r.random() < 0.5:
                self.op(0x26, self.r.randrange(len(self.m.tables)))
            else:
                self.op(0x41, self.r.randrange(4), 0xfc, 17, self.r.randrange(len(self.m.tables)))
        else:
            self.op(0x41, self.r.randrange(10), 0x41, self.r.randrange(4), 0x41, self.r.randrange(4))
            self.op(0xfc, 12, 1, self.r.randrange(len(self.m.tables)))

    def call_for_effect(self, depth):
        found = self.callable(lambda s: True)
        if not found:
            return
        callee = self.r.choice(found)
        params, results = self.m.signatures[callee]
        for p in params:
            self.expr(p, depth - 1)
        self.index(0x10, callee)
        for t in reversed(results):
            if self.r.random() < 0.5:
                self.op(0x1a)
            else:
                self.index(0x21, self.a_local(t))

    def pass_params(self, depth):
        """A block with parameters and several results."""
        params = [self.r.choice(NUMBERS) for _ in range(self.r.randrange(1, 4))]
        results = [self.r.choice(NUMBERS) for _ in range(self.r.randrange(0, 4))]
        for t in params:
            self.expr(t, depth - 1)
        op = self.r.choice((0x02, 0x02, 0x03, 0x04))
        if op == 0x04:
            self.expr(I32, depth - 1)
        self.enter(op, params, results)
        for turn in range(2 if op == 0x04 else 1):
            if turn == 1:
                self.op(0x05)
            if op == 0x03:
                self.use_counter()
            for t in reversed(params):
                self.index(0x21, self.a_local(t))
            self.statements(depth)
            for t in results:
                self.expr(t, depth - 1)
            if op != 0x03 and self.r.random() < 0.3:
                self.expr(I32, 0)
                self.index(0x0d, 0)
        self.leave()
        for t in reversed(results):
            self.index(0x21, self.a_local(t))

    # ---- whole functions

    def random_body(self):
        self.use_counter(CALL_COST)
        for _ in range(self.r.randrange(1, 5)):
            self.statement(4)
        for t in self.results:
            self.expr(t, 4)
        return self.finish()

    def finish(self):
        extra = self.locals[len(self.params):]
        declared = vector(unsigned(1) + bytes([t]) for t in extra)
        body = declared + bytes(self.code) + b"\x0b"
        return unsigned(len(body)) + body


class Module:
    """A random module: wasm, and calls as (export, [(type, bits)...])."""

    def __init__(self, seed, tail_calls=True, extended_const=True):
        self.random = random.Random(seed)
        r = self.random
        self.tail_calls, self.extended_const = tail_calls, extended_const
        self.types = []
        self.signatures = [(self.some_types(0, 5), self.some_types(0, 3)) for _ in range(r.randrange(3, 8))]
        self.declared = list(range(len(self.signatures)))
        self.globals = [I32, I32, I64, F32, F64, r.choice(NUMBERS), FUNCREF]
        self.tables = [10, 8][:r.randrange(1, 3)]
        self.elements = [r.choice(self.declared) for _ in range(8)]  # of table 0
        bodies = [Function(self, p, q, i).random_body() for i, (p, q) in enumerate(self.signatures)]
        self.exports = []
        signatures = list(self.signatures)
        for i, (params, results) in enumerate(self.signatures):
            signatures.append(([as_int(t) for t in params], [as_int(t) for t in results]))
            bodies.append(self.wrapper(i, params, results))
            self.exports.append((f"f{i}", len(signatures) - 1))
        for i, t in enumerate(self.globals[1:6], 1):
            signatures.append(([], [as_int(t)]))
            bodies.append(self.getter(i, t))
            self.exports.append((f"g{i}", len(signatures) - 1))
        signatures.append(([], [I64]))
        bodies.append(self.hash())
        self.exports.append(("hash", len(signatures) - 1))
        self.wasm = self.assemble(signatures, bodies)
        self.calls = self.make_calls()

    def some_types(self, low, high):
        return [self.random.choice(NUMBERS) if self.random.random() < 0.95 else FUNCREF if low < 0 else I32
                for _ in range(self.random.randint(low, high))]

    def type_idx(self, params, results):
        key = (tuple(params), tuple(results))
        if key not in self.types:
            self.types.append(key)
        return self.types.index(key)

    def wrapper(self, callee, params, results):
        """Sets the counter, calls, and makes integers of the results."""
        f = Function(self, [as_int(t) for t in params], [as_int(t) for t in results])
        f.code += b"\x41" + signed(COUNTER) + b"\x24\x00"
        for i, t in enumerate(params):
            f.index(0x20, i)
            if t in (F32, F64):
                f.op(0xbe if t == F32 else 0xbf)
        f.index(0x10, callee)
        kept = [f.new_local(t) for t in results]
        for x in reversed(kept):
            f.index(0x21, x)
        for x, t in zip(kept, results):
            f.index(0x20, x)
            f.bits(t)
        return f.finish()

    def getter(self, i, t):
        f = Function(self, [], [as_int(t)])
        f.index(0x23, i)
        f.bits(t)
        return f.finish()

    def hash(self):
        """FNV over the first 2 KB, and the size."""
        f = Function(self, [], [I64])
        i, sum_ = f.new_local(I32), f.new_local(I64)
        f.op(0x3f, 0, 0xad, 0x21, sum_, 0x03, 0x40)
        f.op(0x20, sum_, 0x20, i, 0x29, 3, 0, 0x85, 0x42)
        f.code += signed(1099511628211) + bytes([0x7e, 0x21, sum_])
        f.op(0x20, i, 0x41, 8, 0x6a, 0x22, i, 0x41)
        f.code += signed(2048) + bytes([0x49, 0x0d, 0, 0x0b, 0x20, sum_])
        return f.finish()

    def constant(self, t):
        f = Function(self, [], [t])
        f.number(t)
        if t in (I32, I64) and self.extended_const and self.random.random() < 0.5:
            f.number(t)
            f.op(self.random.choice((0x6a, 0x6b, 0x6c) if t == I32 else (0x7c, 0x7d, 0x7e)))
        return bytes(f.code) + b"\x0b"

    def assemble(self, signatures, bodies):
        r = self.random
        func_types = [unsigned(self.type_idx(p, q)) for p, q in signatures]
        elements = vector(map(unsigned, self.elements))
        globals_ = [bytes([t, 1]) + (self.constant(t) if i else b"\x41\x00\x0b") for i, t in enumerate(self.globals)]
        data = [r.randbytes(16), r.randbytes(12)]
        types = [b"\x60" + vector(bytes([t]) for t in p) + vector(bytes([t]) for t in q) for p, q in self.types]
        code = vector(bodies)
        return b"".join([
            b"\0asm\1\0\0\0", section(1, vector(types)), section(3, vector(func_types)),
            section(4, vector(bytes([FUNCREF, 1]) + unsigned(n) + unsigned(n + 4) for n in self.tables)),
            section(5, vector([b"\x01\x01\x04"])), section(6, vector(globals_)),
            section(7, vector(name(n) + b"\x00" + unsigned(i) for n, i in self.exports)),
            section(9, vector([b"\x00\x41\x00\x0b" + elements, b"\x01\x00" + vector(unsigned(f) for f in self.declared[:3]),
                               b"\x03\x00" + vector(unsigned(f) for f in self.declared)])),
            section(12, unsigned(2)), section(10, code),
            section(11, vector([b"\x00\x41\x10\x0b" + unsigned(16) + data[0], b"\x01" + unsigned(12) + data[1]]))])

    def argument(self, t):
        r = self.random
        bits = 32 if t == I32 else 64
        return r.choice(INTS) & (1 << bits) - 1 if r.random() < 0.5 else r.getrandbits(bits)

    def make_calls(self):
        calls = []
        for _ in range(3):
            for i, (params, _) in enumerate(self.signatures):
                calls.append((f"f{i}", [(as_int(t), self.argument(as_int(t))) for t in params]))
            calls.append(("hash", []))
        return calls + [(f"g{i}", []) for i in range(1, 6)]

    def mutant(self):
        """The module with a few bytes changed, removed or added: mostly invalid."""
        r = self.random
        raw = bytearray(self.wasm)
        for _ in range(r.choice((1, 1, 1, 2, 4))):
            at = r.randrange(8, len(raw))
            choice = r.randrange(5)
            if choice == 0:
                raw[at] ^= 1 << r.randrange(8)
            elif choice == 1:
                raw[at] = r.choice((0, 1, 0x0b, 0x7f, 0x7e, 0x40, 0x80, 0xff, r.randrange(256)))
            elif choice == 2:
                del raw[at]
            elif choice == 3:
                raw.insert(at, r.randrange(256))
            else:
                raw[at] = (raw[at] + r.choice((1, -1))) & 255
        return bytes(raw)
