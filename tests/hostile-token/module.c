/* A PKCS#11 module that passes everything on to SoftHSM, but for what the file says that HOSTILE_TOKEN names:
 *
 *   hang   no signature comes as long as the file says so
 *   lost   the session that signs next is known no more, as after a restart of the token
 *   wrong  signatures have another first byte
 *
 * Each login adds a line to the file of that name with `.logins` behind it.
 */
#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

typedef unsigned long answer;

/* CK_FUNCTION_LIST of PKCS#11 2.40. */
struct calls {
    unsigned char version[2];
    void *call[68];
};

enum { LOGIN = 18, SIGN = 43 };

#define SESSION_HANDLE_INVALID 0xB3UL

static const char SOFTHSM[] = "/usr/lib/softhsm/libsofthsm2.so";
static struct calls ours, *theirs;
static unsigned long lost;

static int told(const char *word) {
    char text[16] = "";
    const char *path = getenv("HOSTILE_TOKEN");
    FILE *file = path ? fopen(path, "r") : NULL;
    if (!file) return 0;
    int read = fscanf(file, "%15s", text);
    fclose(file);
    return read == 1 && strcmp(text, word) == 0;
}

static answer login(unsigned long session, unsigned long user, unsigned char *pin, unsigned long length) {
    char path[4096];
    snprintf(path, sizeof path, "%s.logins", getenv("HOSTILE_TOKEN"));
    FILE *file = fopen(path, "a");
    if (file) {
        fputs("login\n", file);
        fclose(file);
    }
    return ((answer (*)(unsigned long, unsigned long, unsigned char *, unsigned long))theirs->call[LOGIN])(session, user, pin, length);
}

static answer sign(unsigned long session, unsigned char *data, unsigned long length, unsigned char *signature, unsigned long *room) {
    while (told("hang")) usleep(10000);
    if (told("lost")) {
        unlink(getenv("HOSTILE_TOKEN"));
        lost = session;
    }
    if (session == lost) return SESSION_HANDLE_INVALID;
    answer found = ((answer (*)(unsigned long, unsigned char *, unsigned long, unsigned char *, unsigned long *))theirs->call[SIGN])(
        session, data, length, signature, room);
    if (found == 0 && signature && told("wrong")) signature[0] ^= 1;
    return found;
}

answer C_GetFunctionList(struct calls **list) {
    void *softhsm = dlopen(SOFTHSM, RTLD_NOW);
    answer (*get)(struct calls **) = softhsm ? (answer (*)(struct calls **))dlsym(softhsm, "C_GetFunctionList") : NULL;
    if (!get || get(&theirs) != 0) return 5; /* CKR_GENERAL_ERROR */
    ours = *theirs;
    ours.call[LOGIN] = (void *)login;
    ours.call[SIGN] = (void *)sign;
    *list = &ours;
    return 0;
}
