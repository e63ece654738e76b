#include "os/sig.h"

#include <errno.h>
#include <string.h>
#include <sys/signalfd.h>
#include <unistd.h>

const int sig_forwarded[] = {SIGHUP,  SIGINT,   SIGQUIT, SIGTERM, SIGUSR1,
                             SIGUSR2, SIGWINCH, SIGCONT, 0};

static bool is_ignored(int signal)
{
	struct sigaction now;

	return sigaction(signal, NULL, &now) == 0 && now.sa_handler == SIG_IGN;
}

int sig_open(struct sig *s, const int *signals, struct err *e)
{
	sigset_t set;

	sigemptyset(&set);
	for (; *signals != 0; signals++)
		if (!is_ignored(*signals))
			sigaddset(&set, *signals);
	s->fd = signalfd(-1, &set, SFD_NONBLOCK | SFD_CLOEXEC);
	if (s->fd < 0)
		return err_sys(e, "open a descriptor for signals");
	if (sigprocmask(SIG_BLOCK, &set, &s->before) < 0) {
		err_sys(e, "block signals");
		close(s->fd);
		return -1;
	}
	return 0;
}

int sig_next(const struct sig *s, struct sig_got *ret)
{
	struct signalfd_siginfo info;
	ssize_t n;

	do
		n = read(s->fd, &info, sizeof(info));
	while (n < 0 && errno == EINTR);
	if (n != (ssize_t)sizeof(info))
		return 0;
	ret->signal = (int)info.ssi_signo;
	ret->from_kernel = info.ssi_code == SI_KERNEL;
	return 1;
}

void sig_close(struct sig *s)
{
	close(s->fd);
	s->fd = -1;
	sigprocmask(SIG_SETMASK, &s->before, NULL);
}

const char *sig_name(int signal)
{
	const char *name = sigabbrev_np(signal);

	return name != NULL ? name : "unknown";
}
