/* SPDX-License-Identifier: MIT
 *
 * module.c - see module.h.
 */
#include "store/module.h"

#include <dlfcn.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "store/kind.h"

#define TEXT(x)        #x
#define TEXT_OF(macro) TEXT(macro)

/* The folder that the executable is in; false if that cannot be told. */
static bool own_folder(char ret[PATH_MAX])
{
    ssize_t bytes = readlink("/proc/self/exe", ret, PATH_MAX - 1);
    if (bytes <= 0)
        return false;
    ret[bytes] = '\0';
    char *end = strrchr(ret, '/');
    if (!end)
        return false;
    *end = '\0';
    return true;
}

/* A folder to look in, and whether there is a file of that name. */
static bool find(char ret[PATH_MAX], const char *folder, const char *name)
{
    int bytes = snprintf(ret, PATH_MAX, "%s/crebito-%s.so", folder, name);
    return bytes < PATH_MAX && access(ret, F_OK) == 0;
}

const struct store_kind *module_kind(const char *name, char *error, size_t error_size)
{
    char folder[PATH_MAX], path[PATH_MAX];
    if (!(own_folder(folder) && find(path, folder, name)) && !find(path, CREBITO_MODULES, name)) {
        snprintf(error, error_size,
                 "this installation has no %s store: crebito-%s.so is neither beside the program "
                 "nor in " CREBITO_MODULES,
                 name, name);
        return NULL;
    }
    void *module = dlopen(path, RTLD_NOW | RTLD_LOCAL);
    const struct store_kind *kind = module ? dlsym(module, TEXT_OF(MODULE_SYMBOL)) : NULL;
    if (!kind) {
        snprintf(error, error_size, "cannot load the %s store: %s", name, dlerror());
        return NULL;
    }
    if (strcmp(kind->version, CREBITO_VERSION) != 0) {
        snprintf(error, error_size, "%s is of crebito %s, and this is crebito " CREBITO_VERSION,
                 path, kind->version);
        return NULL;
    }
    return kind;
}
