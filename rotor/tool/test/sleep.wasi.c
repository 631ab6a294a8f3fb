#include <stdio.h>
#include <unistd.h>

int main(void)
{
	printf("before\n");
	sleep(100);
	printf("after\n");
	return 0;
}
