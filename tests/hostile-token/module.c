/* A PKCS#11 module that passes everything on to SoftHSM, but for what the file says that HOSTILE_TOKEN names:
 *
 *   hang   no signature comes as long as the file says so
 *   lost   the session that signs next is known no more, as after a restart of the token
 *   wrong  signatures have another first byte
 *   sour   no session is known, and every login fails with CKR_GENERAL_ERROR, whatever the PIN
 *   stall  no key is made as long as the file says so
 *   loose  keys are made that can be taken from the token (CKA_EXTRACTABLE)
 *   plain  keys are made that are shown to whoever asks (CKA_SENSITIVE is false)
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

/* CK_ATTRIBUTE. */
struct attribute {
    unsigned long type;
    void *value;
    unsigned long length;
};

enum { LOGIN = 18, SIGN = 43, GENERATE = 59 };

#define GENERAL_ERROR 5UL
#define SESSION_HANDLE_INVALID 0xB3UL
#define SENSITIVE 0x103UL
#define EXTRACTABLE 0x162UL

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
    if (told("sour")) return GENERAL_ERROR;
    return ((answer (*)(unsigned long, unsigned long, unsigned char *, unsigned long))theirs->call[LOGIN])(session, user, pin, length);
}

static answer sign(unsigned long session, unsigned char *data, unsigned long length, unsigned char *signature, unsigned long *room) {
    while (told("hang")) usleep(10000);
    if (told("lost")) {
        unlink(getenv("HOSTILE_TOKEN"));
        lost = session;
    }
    if (told("sour")) lost = session;
    if (session == lost) return SESSION_HANDLE_INVALID;
    answer found = ((answer (*)(unsigned long, unsigned char *, unsigned long, unsigned char *, unsigned long *))theirs->call[SIGN])(
        session, data, length, signature, room);
    if (found == 0 && signature && told("wrong")) signature[0] ^= 1;
    return found;
}

static answer generate(unsigned long session, void *mechanism, struct attribute *public, unsigned long publics,
                       struct attribute *private, unsigned long privates, unsigned long *first, unsigned long *second) {
    static unsigned char yes = 1, no = 0;
    while (told("stall")) usleep(10000);
    for (unsigned long i = 0; i < privates; i++) {
        if (private[i].type == EXTRACTABLE && told("loose")) private[i].value = &yes;
        if (private[i].type == SENSITIVE && told("plain")) private[i].value = &no;
    }
    return ((answer (*)(unsigned long, void *, struct attribute *, unsigned long, struct attribute *, unsigned long, unsigned long *,
                        unsigned long *))theirs->call[GENERATE])(session, mechanism, public, publics, private, privates, first, second);
}

answer C_GetFunctionList(struct calls **list) {
    void *softhsm = dlopen(SOFTHSM, RTLD_NOW);
    answer (*get)(struct calls **) = softhsm ? (answer (*)(struct calls **))dlsym(softhsm, "C_GetFunctionList") : NULL;
    if (!get || get(&theirs) != 0) return GENERAL_ERROR;
    ours = *theirs;
    ours.call[LOGIN] = (void *)login;
    ours.call[SIGN] = (void *)sign;
    ours.call[GENERATE] = (void *)generate;
    *list = &ours;
    return 0;
}
