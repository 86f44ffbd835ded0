/* Claims about disk images: what is read, what is kept, what reaches the file. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tests/unit/test.h"

#include "sim/base/state.h"
#include "sim/platform/disk.h"

enum { SECTORS = 21 }; /* the last block is short */

struct image {
    char path[64];
    uint8_t bytes[SECTORS * DISK_SECTOR];
};

static struct image
image_new(void)
{
    struct image i;
    strcpy(i.path, "/tmp/hvlab-disk-XXXXXX");
    int fd = mkstemp(i.path);
    assert_true(fd >= 0);
    for (unsigned k = 0; k < sizeof i.bytes; k++) {
        i.bytes[k] = (uint8_t)(k / 512 + k * 3);
    }
    assert_int_equal(write(fd, i.bytes, sizeof i.bytes), sizeof i.bytes);
    close(fd);
    return i;
}

static bool
file_equals(const struct image *i)
{
    uint8_t bytes[sizeof i->bytes + 1];
    FILE *f = fopen(i->path, "rb");
    size_t n = fread(bytes, 1, sizeof bytes, f);
    fclose(f);
    return n == sizeof i->bytes && memcmp(bytes, i->bytes, n) == 0;
}

static struct disk *
open_disk(const struct image *i, bool write_through)
{
    char error[256];
    struct disk *d = disk_open(i->path, write_through, error, sizeof error);
    assert_non_null(d);
    assert_int_equal(disk_sectors(d), SECTORS);
    return d;
}

static void
check_contents(struct disk *d, const uint8_t *want)
{
    uint8_t bytes[SECTORS * DISK_SECTOR];
    assert_true(disk_read(d, 0, SECTORS, bytes));
    assert_memory_equal(bytes, want, sizeof bytes);
}

/* The same changes to the disk and to a copy in memory. */
static void
change(struct disk *d, uint8_t *copy)
{
    uint8_t sectors[10 * DISK_SECTOR];
    memset(sectors, 0xC3, sizeof sectors);
    assert_true(disk_write(d, 3, 10, sectors)); /* across two block borders, neither whole */
    memcpy(copy + 3 * DISK_SECTOR, sectors, sizeof sectors);
    assert_true(disk_zero(d, 7, 10)); /* one whole block in it */
    memset(copy + 7 * DISK_SECTOR, 0, 10 * DISK_SECTOR);
    assert_true(disk_write(d, 20, 1, sectors)); /* the short block */
    memcpy(copy + 20 * DISK_SECTOR, sectors, DISK_SECTOR);
    assert_true(disk_write(d, 9, 1, sectors)); /* into a block of zeros */
    memcpy(copy + 9 * DISK_SECTOR, sectors, DISK_SECTOR);
    assert_true(disk_flush(d));
}

static void
changes_stay_in_memory_unless_they_are_to_be_written(void **unused)
{
    (void)unused;
    for (unsigned through = 0; through < 2; through++) {
        struct image i = image_new(), original = i;
        struct disk *d = open_disk(&i, through);
        check_contents(d, i.bytes);
        change(d, i.bytes);
        check_contents(d, i.bytes);
        assert_true(file_equals(through ? &i : &original));
        assert_int_equal(disk_changed(d), 3);
        disk_close(d);
        unlink(i.path);
    }
}

static uint64_t
hash(struct disk *d)
{
    struct state *s = state_new_hash();
    disk_state(d, s);
    return state_hash_end(s);
}

static void
hash_depends_on_contents_and_not_on_where_they_are_kept(void **unused)
{
    (void)unused;
    struct image i = image_new(), j = image_new();
    struct disk *memory = open_disk(&i, false), *through = open_disk(&j, true);
    uint64_t before = hash(memory);
    assert_true(before == hash(through));
    change(memory, i.bytes);
    assert_true(before != hash(memory));
    change(through, j.bytes);
    assert_true(hash(memory) == hash(through));
    disk_close(memory);
    disk_close(through);
    unlink(i.path);
    unlink(j.path);
}

static char *
load(struct disk *d, const uint8_t *bytes, size_t size)
{
    struct state *s = state_new_load(bytes, size);
    disk_state(d, s);
    return state_load_end(s);
}

static void
a_load_brings_the_changes_back_and_drops_others(void **unused)
{
    (void)unused;
    struct image i = image_new();
    struct disk *a = open_disk(&i, false), *b = open_disk(&i, false), *c = disk_blank(SECTORS);
    change(a, i.bytes);
    struct state *s = state_new_save();
    disk_state(a, s);
    uint8_t *bytes;
    size_t size;
    state_save_end(s, &bytes, &size);
    assert_true(disk_zero(b, 0, 3));
    assert_null(load(b, bytes, size));
    check_contents(b, i.bytes);
    assert_true(hash(a) == hash(b));
    char *error = load(c, bytes, size);
    assert_non_null(error);
    assert_non_null(strstr(error, "another disk image"));
    free(error);
    struct disk *through = open_disk(&i, true);
    error = load(through, bytes, size);
    assert_non_null(strstr(error, "writes through"));
    free(error);
    free(bytes);
    disk_close(a);
    disk_close(b);
    disk_close(c);
    disk_close(through);
    unlink(i.path);
}

static void
what_is_no_image_is_refused_with_its_name(void **unused)
{
    (void)unused;
    char error[256];
    static const char *const paths[] = { "/no/such/image", "/tmp", "/dev/null" };
    for (unsigned i = 0; i < 3; i++) {
        assert_null(disk_open(paths[i], false, error, sizeof error));
        assert_non_null(strstr(error, paths[i]));
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(changes_stay_in_memory_unless_they_are_to_be_written),
        cmocka_unit_test(hash_depends_on_contents_and_not_on_where_they_are_kept),
        cmocka_unit_test(a_load_brings_the_changes_back_and_drops_others),
        cmocka_unit_test(what_is_no_image_is_refused_with_its_name),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
