#include "sim/cli/boot_images.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <xxhash.h>

#include "sim/cli/cli.h"
#include "sim/platform/load.h"

struct files {
    struct load_module module[LOAD_MODULES_MAX], initrd, bios;
    char path[LOAD_MODULES_MAX][PATH_MAX], bios_path[PATH_MAX + 64];
    unsigned count;
    uint8_t *image;
    size_t size;
};

static bool
read_module(struct load_module *module, const char *path, char *error, size_t error_size)
{
    module->name = path;
    module->bytes = load_file(path, &module->size, error, (unsigned)error_size);
    return module->bytes != NULL;
}

/* FILE=NAME or FILE. */
static bool
read_modules(struct files *f, const struct boot_options *o, char *error, size_t error_size)
{
    for (; f->count < o->modules.count; f->count++) {
        const char *text = o->modules.item[f->count], *equals = strchr(text, '=');
        char *path = f->path[f->count];
        snprintf(path, PATH_MAX, "%.*s", equals ? (int)(equals - text) : (int)strlen(text), text);
        f->module[f->count].cmdline = equals ? equals + 1 : NULL;
        if (!read_module(&f->module[f->count], path, error, error_size))
            return false;
    }
    return true;
}

/* Most images need none, so it may be missing unless --bios asks for it. */
static bool
read_bios(struct files *f, const struct boot_options *o, char *error, size_t error_size)
{
    snprintf(f->bios_path, sizeof f->bios_path, "%s/bios.bin", cli_images_folder(NULL));
    if (!o->bios_first && access(f->bios_path, R_OK))
        return true;
    return read_module(&f->bios, f->bios_path, error, error_size);
}

static bool
read_files(struct files *f, const struct boot_options *o, char *error, size_t error_size)
{
    if (!read_modules(f, o, error, error_size) || !read_bios(f, o, error, error_size) ||
        (o->initrd && !read_module(&f->initrd, o->initrd, error, error_size)))
        return false;
    f->image = load_file(o->image, &f->size, error, (unsigned)error_size);
    return f->image != NULL;
}

/* Never 0. */
static uint64_t
identify(const struct files *f)
{
    uint64_t hash = XXH3_64bits(f->image, f->size);
    for (unsigned i = 0; i < f->count; i++)
        hash = XXH3_64bits_withSeed(f->module[i].bytes, f->module[i].size, hash);
    if (f->initrd.bytes)
        hash = XXH3_64bits_withSeed(f->initrd.bytes, f->initrd.size, hash);
    if (f->bios.bytes)
        hash = XXH3_64bits_withSeed(f->bios.bytes, f->bios.size, hash);
    return hash ? hash : 1;
}

static bool
same_files(const struct files *f, const struct boot_options *o, uint64_t *identity, char *error, size_t error_size)
{
    uint64_t now = identify(f);
    if (*identity && *identity != now) {
        snprintf(error, error_size, "%s, or another file that was loaded, has changed since the machine started: it cannot start again",
                 o->image);
        return false;
    }
    *identity = now;
    return true;
}

static void
free_files(struct files *f)
{
    for (unsigned i = 0; i < f->count; i++)
        free((void *)f->module[i].bytes);
    free((void *)f->initrd.bytes);
    free((void *)f->bios.bytes);
    free(f->image);
    free(f);
}

bool
boot_images_load(struct machine *m, const struct boot_options *o, uint64_t *identity, char *error, size_t error_size)
{
    struct files *f = calloc(1, sizeof *f);
    if (!f) {
        snprintf(error, error_size, "not enough memory to load %s", o->image);
        return false;
    }
    bool good = read_files(f, o, error, error_size);
    struct load_request request = {
        .name = o->image, .bytes = f->image, .size = f->size, .cmdline = o->append, .modules = f->module, .module_count = f->count,
        .initrd = o->initrd ? &f->initrd : NULL, .bios = f->bios.bytes ? &f->bios : NULL, .bios_first = o->bios_first,
    };
    good = good && same_files(f, o, identity, error, error_size) && load_image(m, &request, error, (unsigned)error_size);
    free_files(f);
    return good;
}
