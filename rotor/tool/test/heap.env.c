typedef unsigned long size_t;
void *malloc(size_t);
void free(void *);
int printf(const char *, ...);
size_t strlen(const char *);
void *memset(void *, int, size_t);

__attribute__((export_name("double_free"))) void double_free(void)
{
	char *p = malloc(10);

	free(p);
	free(p);
}

__attribute__((export_name("overflow"))) void overflow(void)
{
	char *p = malloc(16);

	for (volatile int i = 0; i < 64; i++) {
		p[i] = (char)0xEE;
	}
	free(p);
}

__attribute__((export_name("bad_string"))) int bad_string(void)
{
	return (int)strlen((char *)0xFFFFFF00);
}

__attribute__((export_name("exhaust"))) int exhaust(void)
{
	int n = 0;

	while (malloc(1000) != 0) {
		n++;
	}
	return n;
}

__attribute__((export_name("fill"))) int fill(int times)
{
	static char room[4096];

	while (times-- > 0) {
		memset(room, times, sizeof(room));
	}
	return room[0];
}
