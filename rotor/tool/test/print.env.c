/* printf and its relatives through the imports; its output is the same as native. */
#ifdef NATIVE
#include <stdio.h>
#include <string.h>
#include <stdlib.h>
#else
typedef unsigned long size_t;
int printf(const char *, ...);
int sprintf(char *, const char *, ...);
int snprintf(char *, size_t, const char *, ...);
int puts(const char *);
int putchar(int);
#endif
#include <stdarg.h>
#ifndef NATIVE
int vprintf(const char *, va_list);
int vsnprintf(char *, size_t, const char *, va_list);
#endif

static void log_line(const char *format, ...)
{
	char buf[64];
	va_list args;

	va_start(args, format);
	vsnprintf(buf, sizeof(buf), format, args);
	va_end(args);
	printf("[%s]\n", buf);
	va_start(args, format);
	vprintf(format, args);
	va_end(args);
	putchar('\n');
}

int main(void)
{
	static const double doubles[] = {0,     -0.0,   1,   0.1,  1.0 / 3,  -123456.789, 1e-10,
					 1e300, 5e-324, 2.5, 1e15, 999998.5, 0.00001234,  1e21};
	static const int ints[] = {0, 1, -1, 42, -2147483647 - 1, 2147483647, 255};
	char buf[200];
	long long n = -1234567890123456789ll;

	for (unsigned i = 0; i < sizeof(doubles) / sizeof(doubles[0]); i++) {
		double d = doubles[i];

		printf("%f|%e|%g|%.17g|%10.3f|%-12.2e|%+g|% g|%a\n", d, d, d, d, d, d, d, d, d);
		printf("%.0f|%.1f|%.20f|%#g|%G|%E|%*.*f\n", d, d, d, d, d, d, 12, 3, d);
	}
	for (unsigned i = 0; i < sizeof(ints) / sizeof(ints[0]); i++) {
		int v = ints[i];

		printf("%d|%i|%u|%x|%X|%o|%5d|%-5d|%05d|%+d|% d|%#x|%#o|%.3d|%hhd|%hd\n", v, v, v,
		       v, v, v, v, v, v, v, v, v, v, v, v, v);
	}
	printf("%lld %llu %llx %jd %zu %td\n", n, n, n, (long long)n, sizeof(int),
	       (char *)buf - buf);
	printf("%c%c%c %s %10s|%-10s|%.3s %%\n", 'a', 'b', 'c', "text", "right", "left", "abcdef");
	printf("%d %lld %d %f %d\n", 1, 2ll, 3, 4.0, 5);
	log_line("%s=%d %5.2f %c", "key", 17, 2.345, 'x');
	printf("%d\n", sprintf(buf, "%s and %d", "this", 7));
	puts(buf);
	printf("%d\n", snprintf(buf, 8, "%s", "much too long"));
	puts(buf);
	return printf("%s\n", "end") == 4 ? 0 : 1;
}
