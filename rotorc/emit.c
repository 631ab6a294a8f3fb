/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Runs LLVM's optimiser and code generator for a target.
 *
 * Rules: 1. The object must be position-independent: the linker beside this file refuses the rest.
 *        2. Xtensa's objects come right only from assembly text, so there the text goes through LLVM's assembler.
 */
#include "rotorc/emit.h"

#include <llvm-c/Analysis.h>
#include <llvm-c/Target.h>
#include <llvm-c/TargetMachine.h>
#include <llvm-c/Transforms/PassBuilder.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int complain(char *why, size_t cap, const char *what, char *message)
{
	snprintf(why, cap, "%s: %s", what, message != NULL ? message : "no reason given");
	LLVMDisposeMessage(message);
	return -1;
}

static void initialise(void)
{
	static bool done;

	if (done) {
		return;
	}
	done = true;
	LLVMInitializeAllTargetInfos();
	LLVMInitializeAllTargets();
	LLVMInitializeAllTargetMCs();
	LLVMInitializeAllAsmPrinters();
	LLVMInitializeAllAsmParsers();
}

static LLVMTargetMachineRef make_machine(const struct rotorc_target *t,
					 const struct emit_options *o, char *why, size_t cap)
{
	LLVMTargetRef target;
	char *message = NULL;
	const char *asked = o->features != NULL ? o->features : t->features;
	const char *always = t->always != NULL ? t->always : "";
	size_t bytes = strlen(asked) + strlen(always) + 2;
	char *features = malloc(bytes);
	LLVMTargetMachineRef machine;
	static const LLVMCodeGenOptLevel levels[] = {LLVMCodeGenLevelNone, LLVMCodeGenLevelLess,
						     LLVMCodeGenLevelDefault,
						     LLVMCodeGenLevelAggressive};

	if (LLVMGetTargetFromTriple(t->triple, &target, &message) != 0) {
		complain(why, cap, "this LLVM lacks the target", message);
		free(features);
		return NULL;
	}
	snprintf(features, bytes, "%s%s%s", asked, *asked != 0 && *always != 0 ? "," : "", always);
	machine = LLVMCreateTargetMachine(target, t->triple, o->cpu != NULL ? o->cpu : t->cpu,
					  features, levels[o->level],
					  t->by_assembly ? LLVMRelocStatic : LLVMRelocPIC,
					  t->tiny_code ? LLVMCodeModelTiny : LLVMCodeModelSmall);
	free(features);
	return machine;
}

int emit_try(const struct rotorc_target *t, const struct emit_options *o, char *why, size_t cap)
{
	LLVMTargetMachineRef machine;

	initialise();
	machine = make_machine(t, o, why, cap);
	if (machine == NULL) {
		return -1;
	}
	LLVMDisposeTargetMachine(machine);
	return 0;
}

static int optimise(LLVMModuleRef mod, LLVMTargetMachineRef machine, int level, char *why,
		    size_t cap)
{
	LLVMPassBuilderOptionsRef options = LLVMCreatePassBuilderOptions();
	static const char *const passes[] = {"default<O0>", "default<O1>", "default<O2>",
					     "default<O3>"};
	LLVMErrorRef err = LLVMRunPasses(mod, passes[level], machine, options);

	LLVMDisposePassBuilderOptions(options);
	if (err != NULL) {
		char *message = LLVMGetErrorMessage(err);

		snprintf(why, cap, "optimising: %s", message);
		LLVMDisposeErrorMessage(message);
		return -1;
	}
	return 0;
}

static int emit(LLVMModuleRef mod, LLVMTargetMachineRef machine, LLVMCodeGenFileType kind,
		uint8_t **out, size_t *size, char *why, size_t cap)
{
	LLVMMemoryBufferRef buffer;
	char *message = NULL;

	if (LLVMTargetMachineEmitToMemoryBuffer(machine, mod, kind, &message, &buffer) != 0) {
		return complain(why, cap, "generating code", message);
	}
	*size = LLVMGetBufferSize(buffer);
	*out = malloc(*size + 1);
	memcpy(*out, LLVMGetBufferStart(buffer), *size);
	(*out)[*size] = 0;
	LLVMDisposeMemoryBuffer(buffer);
	return 0;
}

struct frames {
	uint32_t *bytes;
	uint32_t count;
	char *why; /* LLVM's first error, of which its functions answer nothing */
	size_t cap;
	bool failed;
};

/*
 * LLVM tells a frame's size as a warning, since every function asks to be warned from 0 bytes on:
 * "stack frame size (24) exceeds limit (0) in function 'f12'".
 */
static void take_frame_size(LLVMDiagnosticInfoRef info, void *context)
{
	struct frames *frames = context;
	char *text = LLVMGetDiagInfoDescription(info);
	const char *size = strstr(text, "stack frame size ("), *name;

	if (size != NULL) {
		unsigned long bytes = strtoul(strchr(size, '(') + 1, NULL, 10), func;

		name = strstr(size, "'f");
		func = name != NULL ? strtoul(name + 2, NULL, 10) : frames->count;
		func = func < frames->count ? func : frames->count;
		if (bytes > frames->bytes[func]) {
			frames->bytes[func] = (uint32_t)bytes;
		}
	} else if (LLVMGetDiagInfoSeverity(info) == LLVMDSError && !frames->failed) {
		frames->failed = true;
		snprintf(frames->why, frames->cap, "LLVM: %s", text);
	}
	LLVMDisposeMessage(text);
}

/* Unwind information, which the assembler does not take back, is not needed: lines that begin with .cfi go. */
static size_t drop_unwind_lines(char *text)
{
	char *to = text;

	for (char *line = text; *line != 0;) {
		char *next = strchr(line, '\n');
		size_t length = next != NULL ? (size_t)(next + 1 - line) : strlen(line);

		if (strncmp(line + strspn(line, " \t"), ".cfi", 4) != 0) {
			memmove(to, line, length);
			to += length;
		}
		line += length;
	}
	*to = 0;
	return (size_t)(to - text);
}

/*
 * Multiples of 256 that its 8-bit field could add: LLVM 22 for Xtensa keeps them for an instruction that it may not choose
 * in the end, and then has no way to load them.
 */
static bool is_lost_constant(LLVMValueRef v)
{
	long long n;

	if (!LLVMIsAConstantInt(v) || LLVMGetIntTypeWidth(LLVMTypeOf(v)) != 32) {
		return false;
	}
	n = LLVMConstIntGetSExtValue(v);
	return n % 256 == 0 && n >= -32768 && n <= 32512 && (n < -2048 || n > 2047);
}

/* The constant as the result of an instruction that LLVM does not look into. */
static LLVMValueRef loaded_constant(LLVMBuilderRef b, LLVMValueRef v)
{
	LLVMTypeRef type = LLVMFunctionType(LLVMTypeOf(v), NULL, 0, 0);
	char text[32];
	int length = snprintf(text, sizeof(text), "movi $0, %lld", LLVMConstIntGetSExtValue(v));
	LLVMValueRef code = LLVMGetInlineAsm(type, text, (size_t)length, "=r", 2, 0, 0,
					     LLVMInlineAsmDialectATT, 0);

	return LLVMBuildCall2(b, type, code, NULL, 0, "");
}

static void hide_constants(LLVMModuleRef mod, LLVMContextRef lc)
{
	LLVMBuilderRef b = LLVMCreateBuilderInContext(lc);

	for (LLVMValueRef f = LLVMGetFirstFunction(mod); f != NULL; f = LLVMGetNextFunction(f)) {
		LLVMBasicBlockRef block = LLVMGetFirstBasicBlock(f);

		for (; block != NULL; block = LLVMGetNextBasicBlock(block)) {
			LLVMValueRef i = LLVMGetFirstInstruction(block);

			for (; i != NULL; i = LLVMGetNextInstruction(i)) {
				bool adds = LLVMGetInstructionOpcode(i) == LLVMAdd ||
					    LLVMGetInstructionOpcode(i) == LLVMGetElementPtr;
				int last = LLVMGetNumOperands(i) - 1;

				if (adds && is_lost_constant(LLVMGetOperand(i, (unsigned)last))) {
					LLVMPositionBuilderBefore(b, i);
					LLVMSetCurrentDebugLocation2(b, NULL);
					LLVMSetOperand(
						i, (unsigned)last,
						loaded_constant(b,
								LLVMGetOperand(i, (unsigned)last)));
				}
			}
		}
	}
	LLVMDisposeBuilder(b);
}

/* Assembly text, through LLVM's assembler, as a module that is nothing but that text. */
static int emit_by_assembly(struct rotorc_code *code, const struct rotorc_target *t,
			    LLVMTargetMachineRef machine, uint8_t **object, size_t *size, char *why,
			    size_t cap)
{
	uint8_t *text;
	size_t length;
	int err;

	hide_constants(code->mod, code->lc);
	if (emit(code->mod, machine, LLVMAssemblyFile, &text, &length, why, cap) != 0) {
		return -1;
	}
	length = drop_unwind_lines((char *)text);
	LLVMModuleRef mod = LLVMModuleCreateWithNameInContext("assembly", code->lc);

	LLVMSetTarget(mod, t->triple);
	LLVMSetModuleInlineAsm2(mod, (const char *)text, length);
	free(text);
	err = emit(mod, machine, LLVMObjectFile, object, size, why, cap);
	LLVMDisposeModule(mod);
	return err;
}

/* Of a family of processors, what is good for all of them is to be chosen, not what is good for one. */
static void tune(LLVMModuleRef mod, LLVMContextRef lc, const char *processor)
{
	LLVMAttributeRef a = LLVMCreateStringAttribute(lc, "tune-cpu", 8, processor,
						       (unsigned)strlen(processor));

	for (LLVMValueRef f = LLVMGetFirstFunction(mod); f != NULL; f = LLVMGetNextFunction(f)) {
		LLVMAddAttributeAtIndex(f, (LLVMAttributeIndex)LLVMAttributeFunctionIndex, a);
	}
}

int emit_object(struct rotorc_code *code, const struct rotorc_target *t,
		const struct emit_options *options, uint8_t **object, size_t *size,
		uint32_t *frames, uint32_t func_count, char *why, size_t cap)
{
	struct frames taken = {frames, func_count, why, cap, false};
	LLVMTargetMachineRef machine;
	LLVMTargetDataRef layout;
	char *message = NULL;
	int err;

	initialise();
	LLVMContextSetDiagnosticHandler(code->lc, take_frame_size, &taken);
	machine = make_machine(t, options, why, cap);
	if (machine == NULL) {
		return -1;
	}
	layout = LLVMCreateTargetDataLayout(machine);
	LLVMSetModuleDataLayout(code->mod, layout);
	LLVMDisposeTargetData(layout);
	LLVMSetTarget(code->mod, t->triple);
	if (LLVMVerifyModule(code->mod, LLVMReturnStatusAction, &message) != 0) {
		LLVMDisposeTargetMachine(machine);
		return complain(why, cap, "the compiler made a wrong module", message);
	}
	LLVMDisposeMessage(message);
	if (t->tune != NULL && options->cpu == NULL) {
		tune(code->mod, code->lc, t->tune);
	}
	err = optimise(code->mod, machine, options->level, why, cap);
	if (err == 0 && t->by_assembly) {
		err = emit_by_assembly(code, t, machine, object, size, why, cap);
	} else if (err == 0) {
		err = emit(code->mod, machine, LLVMObjectFile, object, size, why, cap);
	}
	LLVMDisposeTargetMachine(machine);
	if (err == 0 && taken.failed) {
		free(*object);
		err = -1;
	}
	return err;
}
