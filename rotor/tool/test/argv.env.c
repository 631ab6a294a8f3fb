int printf(const char *, ...);
void exit(int);

int main(int argc, char **argv)
{
	for (int i = 1; i < argc; i++) {
		printf("%d %s\n", i, argv[i]);
	}
	if (argc == 1) {
		exit(9);
	}
	return argc;
}
