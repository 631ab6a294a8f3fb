// SPDX-License-Identifier: Apache-2.0
// Runs modules on V8. In: a file of JSON, [{wasm: base64, calls: [[name, [[type, bits]...]]...]}...]; calls null: validate
// only. Out: JSON, for each module {valid}, {trap} of its start, or {results: [{values: [bits...]} or {trap}...]}.
"use strict";
const fs = require("fs");
const I32 = 0x7f;

function argument([type, bits]) {
	return type === I32 ? Number(BigInt.asIntN(32, BigInt(bits))) : BigInt.asIntN(64, BigInt(bits));
}

function bits(value) {
	return typeof value === "bigint" ? BigInt.asUintN(64, value).toString() : String(value >>> 0);
}

function call(exports, [name, args]) {
	try {
		const result = exports[name](...args.map(argument));
		const values = result === undefined ? [] : Array.isArray(result) ? result : [result];
		return {values: values.map((v) => [typeof v === "bigint" ? 0x7e : I32, bits(v)])};
	} catch (error) {
		return {trap: String(error.message)};
	}
}

function run({wasm, calls}) {
	const bytes = Buffer.from(wasm, "base64");
	if (calls === null) {
		return {valid: WebAssembly.validate(bytes)};
	}
	const module = new WebAssembly.Module(bytes);
	let instance;
	try {
		instance = new WebAssembly.Instance(module, {});
	} catch (error) {
		return {trap: String(error.message)};
	}
	return {results: calls.map((c) => call(instance.exports, c))};
}

const jobs = JSON.parse(fs.readFileSync(process.argv[2]));
const answers = jobs.map((job) => {
	try {
		return run(job);
	} catch (error) {
		return {refused: String(error.message)};
	}
});
process.stdout.write(JSON.stringify(answers));
