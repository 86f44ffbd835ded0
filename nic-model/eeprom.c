/* EEPROM image and its read port, and the software semaphores ("EEPROM Map",
 * "Shared Resources").  The image is built from the configuration: nothing in
 * it is software's to change. */
#include "nic-model/regs.h"

/* Words drivers look at; see "EEPROM General Map". */
enum { WORD_SFP_LIST = 0x2B, WORD_CAPABILITIES = 0x2C, WORD_PBA_FLAG = 0x15, WORD_PBA_POINTER = 0x16,
       WORD_FIRMWARE = 0x0F, WORD_THERMAL = 0x26, WORD_ALT_MAC = 0x27, WORD_SAN_MAC = 0x28, WORD_BOOT = 0x33 };
/* Where our blocks are. */
enum { BLOCK_SFP_LIST = 0x80, BLOCK_SFP_DATA = 0x90, BLOCK_PBA = 0xA0, BLOCK_FIRMWARE = 0xB0, BLOCK_PATCH = 0xC0 };
enum { NONE = 0xFFFF, PBA_IS_STRING = 0xFAFA, CAP_ANY_SFP = 1 << 0, CAP_NO_CROSSTALK_FIX = 1 << 7 };
enum { SFP_TYPE_FIRST = 3, SFP_TYPE_LAST = 6 }; /* DA copper, SR/LR, for both ports */
enum { FIRMWARE_VERSION = 6 };

static void
fill_sfp_list(uint16_t *word)
{
    uint16_t *list = word + BLOCK_SFP_LIST + 1;
    word[WORD_SFP_LIST] = BLOCK_SFP_LIST;
    for (uint16_t type = SFP_TYPE_FIRST; type <= SFP_TYPE_LAST; type++) {
        *list++ = type;
        *list++ = BLOCK_SFP_DATA;
    }
    *list = NONE;
    word[BLOCK_SFP_DATA + 1] = NONE; /* nothing to program into the analog part */
}

static void
fill_firmware(uint16_t *word)
{
    word[WORD_FIRMWARE] = BLOCK_FIRMWARE;
    word[BLOCK_FIRMWARE + 2] = NONE; /* no LESM */
    word[BLOCK_FIRMWARE + 4] = BLOCK_PATCH;
    word[BLOCK_PATCH + 7] = FIRMWARE_VERSION;
}

static void
fill_pba(uint16_t *word)
{
    static const char text[] = "HVLAB0-001"; /* part number string */
    word[WORD_PBA_FLAG] = PBA_IS_STRING;
    word[WORD_PBA_POINTER] = BLOCK_PBA;
    word[BLOCK_PBA] = 1 + (sizeof text - 1) / 2;
    for (unsigned i = 0; i + 1 < sizeof text; i += 2) {
        word[BLOCK_PBA + 1 + i / 2] = (uint16_t)(text[i] << 8 | text[i + 1]);
    }
}

void
eeprom_init(struct nic *nic)
{
    uint16_t *word = nic->eeprom;
    word[WORD_THERMAL] = word[WORD_ALT_MAC] = word[WORD_SAN_MAC] = word[WORD_BOOT] = NONE;
    word[WORD_CAPABILITIES] = CAP_ANY_SFP | CAP_NO_CROSSTALK_FIX;
    fill_sfp_list(word);
    fill_firmware(word);
    fill_pba(word);
    uint16_t sum = 0;
    for (unsigned i = 0; i < I82599_EEPROM_CHECKSUM_WORD; i++) {
        sum = (uint16_t)(sum + word[i]); /* words 3..0xE are no pointers here */
    }
    word[I82599_EEPROM_CHECKSUM_WORD] = (uint16_t)(I82599_EEPROM_SUM - sum);
}

void
eeprom_eec_write(struct nic *nic, unsigned index, uint32_t value)
{
    enum { REQ = 1 << 6, GNT = 1 << 7 };
    (void)index;
    value = value & REQ ? value | GNT : value & ~(uint32_t)GNT; /* the bus is always free */
    reg_set(nic, I82599_EEC, value);
}

void
eeprom_eerd_write(struct nic *nic, unsigned index, uint32_t value)
{
    (void)index;
    unsigned address = (value & I82599_EERD_ADDR_MASK) >> I82599_EERD_ADDR_SHIFT;
    uint32_t data = address < NIC_EEPROM_WORDS ? nic->eeprom[address] : NONE;
    if (value & I82599_EERD_START) {
        value = (value & I82599_EERD_ADDR_MASK) | I82599_EERD_DONE | data << I82599_EERD_DATA_SHIFT;
    }
    reg_set(nic, I82599_EERD, value);
}

/* Reading takes the semaphore: the reader owns it when it was free. */
uint32_t
eeprom_swsm_read(struct nic *nic, unsigned index)
{
    (void)index;
    uint32_t old = reg(nic, I82599_SWSM);
    reg_set(nic, I82599_SWSM, old | I82599_SWSM_SMBI);
    return old;
}

void
eeprom_swsm_write(struct nic *nic, unsigned index, uint32_t value)
{
    (void)index;
    reg_set(nic, I82599_SWSM, value & (I82599_SWSM_SMBI | I82599_SWSM_SWESMBI));
}
