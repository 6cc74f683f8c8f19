/* Which tier runs: the best that was built and that this machine has, or a lower one by name. */
#include "microkernels.h"

#include <string.h>

#ifdef HAVE_X86_V4
extern const microkernels microkernels_x86_v4;
#endif
#ifdef HAVE_X86_V3
extern const microkernels microkernels_x86_v3;
#endif
extern const microkernels microkernels_baseline;

/* The same features, by name, as the flags in meson.build. */
#ifdef HAVE_X86_V3
static int has_x86_v3(void)
{
    __builtin_cpu_init();
    return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
}
#endif

#ifdef HAVE_X86_V4
static int has_x86_v4(void)
{
    return has_x86_v3() && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
           __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl");
}
#endif

static const microkernels *active = &microkernels_baseline;

const microkernels *active_microkernels(void)
{
    return active;
}

const char *const *built_tiers(void)
{
    static const char *const names[] = {
        "baseline",
#ifdef HAVE_X86_V3
        "x86_v3",
#endif
#ifdef HAVE_X86_V4
        "x86_v4",
#endif
        NULL,
    };
    return names;
}

int select_tier(const char *name)
{
#ifdef HAVE_X86_V4
    if ((name == NULL || strcmp(name, "x86_v4") == 0) && has_x86_v4()) {
        active = &microkernels_x86_v4;
        return 0;
    }
#endif
#ifdef HAVE_X86_V3
    if ((name == NULL || strcmp(name, "x86_v3") == 0) && has_x86_v3()) {
        active = &microkernels_x86_v3;
        return 0;
    }
#endif
    if (name == NULL || strcmp(name, "baseline") == 0) {
        active = &microkernels_baseline;
        return 0;
    }
    return -1;
}
