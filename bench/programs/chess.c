/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A chess move generator: counts the leaves of the game tree from three positions, and scores them.
 * A 0x88 board; castling is left out, en passant and promotion are in.
 * Default n: 3, on a device 1.
 */
#include "bench/kernels/kernel.h"

enum piece {
	NONE,
	PAWN,
	KNIGHT,
	BISHOP,
	ROOK,
	QUEEN,
	KING,
	WHITE = 8,
	BLACK = 16,
};

struct move {
	uint8_t from, to, promotion, en_passant;
};

struct undo {
	uint8_t captured, passant;
};

struct position {
	uint8_t board[128];
	uint8_t turn, passant; /* passant: the square behind a pawn that moved two; 127 if none */
	uint8_t king[2];
	int score;
};

static struct position game;

static const int8_t knight_steps[] = {-33, -31, -18, -14, 14, 18, 31, 33, 0};
static const int8_t king_steps[] = {-17, -16, -15, -1, 1, 15, 16, 17, 0};
static const int8_t bishop_steps[] = {-17, -15, 15, 17, 0};
static const int8_t rook_steps[] = {-16, -1, 1, 16, 0};
static const int16_t values[] = {0, 100, 320, 330, 500, 900, 0};

static int side_of(uint8_t turn)
{
	return turn == BLACK;
}

static int slides_hit(int square, const int8_t *steps, uint8_t by, enum piece kind)
{
	for (; *steps != 0; steps++) {
		for (int s = square + *steps; !(s & 0x88); s += *steps) {
			uint8_t p = game.board[s];

			if (p == NONE) {
				continue;
			}
			if (p == (by | kind) || p == (by | QUEEN)) {
				return 1;
			}
			break;
		}
	}
	return 0;
}

static int step_hits(int square, const int8_t *steps, uint8_t piece)
{
	for (; *steps != 0; steps++) {
		int s = square + *steps;

		if (!(s & 0x88) && game.board[s] == piece) {
			return 1;
		}
	}
	return 0;
}

static int attacked(int square, uint8_t by)
{
	int pawn = by == WHITE ? -16 : 16;

	for (int d = -1; d <= 1; d += 2) {
		int s = square + pawn + d;

		if (!(s & 0x88) && game.board[s] == (by | PAWN)) {
			return 1;
		}
	}
	return step_hits(square, knight_steps, by | KNIGHT) ||
	       step_hits(square, king_steps, by | KING) ||
	       slides_hit(square, bishop_steps, by, BISHOP) ||
	       slides_hit(square, rook_steps, by, ROOK);
}

static struct move *add(struct move *m, int from, int to, int promotion, int en_passant)
{
	*m = (struct move){(uint8_t)from, (uint8_t)to, (uint8_t)promotion, (uint8_t)en_passant};
	return m + 1;
}

static struct move *add_pawn(struct move *m, int from, int to)
{
	if ((to >> 4) != 0 && (to >> 4) != 7) {
		return add(m, from, to, 0, 0);
	}
	for (int p = KNIGHT; p <= QUEEN; p++) {
		m = add(m, from, to, p, 0);
	}
	return m;
}

static struct move *pawn_moves(struct move *m, int from)
{
	int ahead = game.turn == WHITE ? 16 : -16, start = game.turn == WHITE ? 1 : 6;
	uint8_t enemy = game.turn ^ (WHITE | BLACK);

	if (game.board[from + ahead] == NONE) {
		m = add_pawn(m, from, from + ahead);
		if ((from >> 4) == start && game.board[from + 2 * ahead] == NONE) {
			m = add(m, from, from + 2 * ahead, 0, 0);
		}
	}
	for (int d = -1; d <= 1; d += 2) {
		int to = from + ahead + d;

		if (to & 0x88) {
			continue;
		}
		if (game.board[to] & enemy) {
			m = add_pawn(m, from, to);
		} else if (to == game.passant) {
			m = add(m, from, to, 0, 1);
		}
	}
	return m;
}

static struct move *piece_moves(struct move *m, int from, const int8_t *steps, int slides)
{
	for (; *steps != 0; steps++) {
		for (int to = from + *steps; !(to & 0x88); to += *steps) {
			uint8_t p = game.board[to];

			if (p & game.turn) {
				break;
			}
			m = add(m, from, to, 0, 0);
			if (p != NONE || !slides) {
				break;
			}
		}
	}
	return m;
}

static struct move *moves(struct move *m)
{
	for (int from = 0; from < 128; from++) {
		if ((from & 0x88) || !(game.board[from] & game.turn)) {
			continue;
		}
		switch ((enum piece)(game.board[from] & 7)) {
		case PAWN:
			m = pawn_moves(m, from);
			break;
		case KNIGHT:
			m = piece_moves(m, from, knight_steps, 0);
			break;
		case BISHOP:
			m = piece_moves(m, from, bishop_steps, 1);
			break;
		case ROOK:
			m = piece_moves(m, from, rook_steps, 1);
			break;
		case QUEEN:
			m = piece_moves(m, from, king_steps, 1);
			break;
		default:
			m = piece_moves(m, from, king_steps, 0);
			break;
		}
	}
	return m;
}

static struct undo make(const struct move *m)
{
	struct undo u = {game.board[m->to], game.passant};
	uint8_t piece = game.board[m->from];
	int ahead = game.turn == WHITE ? 16 : -16;

	game.board[m->to] = m->promotion ? game.turn | m->promotion : piece;
	game.board[m->from] = NONE;
	if (m->en_passant) {
		game.board[m->to - ahead] = NONE;
	}
	game.passant = 127;
	if ((piece & 7) == PAWN && m->to - m->from == 2 * ahead) {
		game.passant = (uint8_t)(m->from + ahead);
	}
	if ((piece & 7) == KING) {
		game.king[side_of(game.turn)] = m->to;
	}
	game.score += values[u.captured & 7];
	game.score = -game.score;
	game.turn ^= WHITE | BLACK;
	return u;
}

static void unmake(const struct move *m, struct undo u)
{
	game.turn ^= WHITE | BLACK;
	game.score = -game.score - values[u.captured & 7];
	uint8_t piece = game.board[m->to];

	if (m->promotion) {
		piece = game.turn | PAWN;
	}
	game.board[m->from] = piece;
	game.board[m->to] = u.captured;
	if (m->en_passant) {
		int ahead = game.turn == WHITE ? 16 : -16;

		game.board[m->to - ahead] = (game.turn ^ (WHITE | BLACK)) | PAWN;
	}
	if ((piece & 7) == KING) {
		game.king[side_of(game.turn)] = m->from;
	}
	game.passant = u.passant;
}

static uint32_t count(int depth, uint32_t *sum)
{
	struct move list[220], *end = moves(list);
	uint32_t leaves = 0;
	uint8_t mover = game.turn;

	for (const struct move *m = list; m < end; m++) {
		struct undo u = make(m);

		if (!attacked(game.king[side_of(mover)], game.turn)) {
			if (depth > 1) {
				leaves += count(depth - 1, sum);
			} else {
				leaves++;
				*sum = kernel_mix(*sum, (uint32_t)game.score);
			}
		}
		unmake(m, u);
	}
	return leaves;
}

/* Sets up the pieces of a FEN's first field. */
static void set_up(const char *fen, uint8_t turn)
{
	static const char names[] = ".pnbrqk";
	int row = 7, column = 0;

	for (int i = 0; i < 128; i++) {
		game.board[i] = NONE;
	}
	for (; *fen != 0; fen++) {
		if (*fen == '/') {
			row--;
			column = 0;
		} else if (*fen >= '1' && *fen <= '8') {
			column += *fen - '0';
		} else {
			uint8_t colour = *fen >= 'a' ? BLACK : WHITE;
			int kind = PAWN;

			while (names[kind] != (*fen | 32)) {
				kind++;
			}
			game.board[row * 16 + column] = (uint8_t)(colour | kind);
			if (kind == KING) {
				game.king[side_of(colour)] = (uint8_t)(row * 16 + column);
			}
			column++;
		}
	}
	game.turn = turn;
	game.passant = 127;
	game.score = 0;
}

int run(int n)
{
	uint32_t sum = 0, leaves = 0;

	for (int round = 0; round < n; round++) {
		set_up("rnbqkbnr/pppppppp/8/8/8/8/PPPPPPPP/RNBQKBNR", WHITE);
		leaves += count(4, &sum);
		set_up("8/2p5/3p4/KP5r/1R3p1k/8/4P1P1/8", WHITE);
		leaves += count(4, &sum);
		set_up("r4rk1/1pp1qppp/p1np1n2/2b1p1B1/2B1P1b1/P1NP1N2/1PP1QPPP/R4RK1",
		       round & 1 ? BLACK : WHITE);
		leaves += count(3, &sum);
	}
	return (int)kernel_mix(sum, leaves);
}
