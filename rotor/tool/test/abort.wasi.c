#include <stdio.h>
#include <stdlib.h>

int main(int argc, char **argv)
{
	printf("%s\n", getenv("GREETING") != NULL ? getenv("GREETING") : "(none)");
	fflush(stdout);
	abort();
}
