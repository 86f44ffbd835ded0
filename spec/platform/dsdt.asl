/* The machine as ACPI describes it beyond the fixed tables.  Addresses are
 * those of memory_map.h; \_S3 and \_S5 carry their SLP_TYPs.  Processors are in the
 * MADT, remapping hardware in the DMAR.
 */
DefinitionBlock ("dsdt.aml", "DSDT", 2, "HVLAB ", "HVLABPC ", 1)
{
    Name (\_S3, Package () { 1, 1, 0, 0 })
    Name (\_S5, Package () { 5, 5, 0, 0 })

    Scope (\_SB)
    {
        Device (PCI0)
        {
            Name (_HID, EisaId ("PNP0A08"))
            Name (_CID, EisaId ("PNP0A03"))
            Name (_SEG, 0)
            Name (_BBN, 0)
            Name (_UID, 0)
            Name (_CRS, ResourceTemplate ()
            {
                WordBusNumber (ResourceProducer, MinFixed, MaxFixed, PosDecode,
                    0, 0x0000, 0x00FF, 0, 0x0100)
                IO (Decode16, 0x0CF8, 0x0CF8, 1, 8)
                WordIO (ResourceProducer, MinFixed, MaxFixed, PosDecode, EntireRange,
                    0, 0x0000, 0x0CF7, 0, 0x0CF8)
                WordIO (ResourceProducer, MinFixed, MaxFixed, PosDecode, EntireRange,
                    0, 0x0D00, 0xFFFF, 0, 0xF300)
                DWordMemory (ResourceProducer, PosDecode, MinFixed, MaxFixed, NonCacheable, ReadWrite,
                    0, 0xC0000000, 0xDFFFFFFF, 0, 0x20000000)
                QWordMemory (ResourceProducer, PosDecode, MinFixed, MaxFixed, Cacheable, ReadWrite,
                    0, 0x800000000, 0xFFFFFFFFF, 0, 0x800000000)
            })

            /* Interrupt pins: GSI 16 + (device + pin) mod 4, for every device on bus 0. */
            Method (_PRT, 0, Serialized)
            {
                Store (Package (128) {}, Local0)
                Store (Zero, Local1)
                While (LLess (Local1, 128))
                {
                    ShiftRight (Local1, 2, Local2)
                    Store (Package (4) { Zero, Zero, Zero, Zero }, Local3)
                    Store (Or (ShiftLeft (Local2, 16), 0xFFFF), Index (Local3, 0))
                    Store (And (Local1, 3), Index (Local3, 1))
                    Store (Add (16, And (Add (Local1, Local2), 3)), Index (Local3, 3))
                    Store (Local3, Index (Local0, Local1))
                    Increment (Local1)
                }
                Return (Local0)
            }

            /* Grants the operating system every PCI Express feature it asks for. */
            Method (_OSC, 4)
            {
                CreateDWordField (Arg3, 0, STAT)
                If (LEqual (Arg0, ToUUID ("33DB4D5B-1FF7-401C-9657-7441C03DD766")))
                {
                    Return (Arg3)
                }
                Or (STAT, 4, STAT)
                Return (Arg3)
            }
        }

        Device (COM1)
        {
            Name (_HID, EisaId ("PNP0501"))
            Name (_UID, 1)
            Name (_CRS, ResourceTemplate ()
            {
                IO (Decode16, 0x03F8, 0x03F8, 0, 8)
                IRQNoFlags () { 4 }
            })
        }

        Device (COM2)
        {
            Name (_HID, EisaId ("PNP0501"))
            Name (_UID, 2)
            Name (_CRS, ResourceTemplate ()
            {
                IO (Decode16, 0x02F8, 0x02F8, 0, 8)
                IRQNoFlags () { 3 }
            })
        }

        Device (RTC)
        {
            Name (_HID, EisaId ("PNP0B00"))
            Name (_CRS, ResourceTemplate ()
            {
                IO (Decode16, 0x0070, 0x0070, 0, 2)
                IRQNoFlags () { 8 }
            })
        }

        Device (KBD)
        {
            Name (_HID, EisaId ("PNP0303"))
            Name (_CRS, ResourceTemplate ()
            {
                IO (Decode16, 0x0060, 0x0060, 0, 1)
                IO (Decode16, 0x0064, 0x0064, 0, 1)
                IRQNoFlags () { 1 }
            })
        }

        Device (MOU)
        {
            Name (_HID, EisaId ("PNP0F13"))
            Name (_CRS, ResourceTemplate ()
            {
                IRQNoFlags () { 12 }
            })
        }

        Device (TIMR)
        {
            Name (_HID, EisaId ("PNP0100"))
            Name (_CRS, ResourceTemplate ()
            {
                IO (Decode16, 0x0040, 0x0040, 0, 4)
                IRQNoFlags () { 0 }
            })
        }

        Device (PIC)
        {
            Name (_HID, EisaId ("PNP0000"))
            Name (_CRS, ResourceTemplate ()
            {
                IO (Decode16, 0x0020, 0x0020, 0, 2)
                IO (Decode16, 0x00A0, 0x00A0, 0, 2)
                IO (Decode16, 0x04D0, 0x04D0, 0, 2)
                IRQNoFlags () { 2 }
            })
        }

        Device (HPET)
        {
            Name (_HID, EisaId ("PNP0103"))
            Name (_CRS, ResourceTemplate ()
            {
                Memory32Fixed (ReadOnly, 0xFED00000, 0x400)
            })
        }

        /* Fixed addresses that nobody may hand out: ECAM, ports of the chipset.  VT-d's page is in the memory map. */
        Device (BRD)
        {
            Name (_HID, EisaId ("PNP0C02"))
            Name (_UID, 1)
            Name (_CRS, ResourceTemplate ()
            {
                Memory32Fixed (ReadWrite, 0xE0000000, 0x10000000)
                IO (Decode16, 0x0061, 0x0061, 0, 1)
                IO (Decode16, 0x0092, 0x0092, 0, 1)
                IO (Decode16, 0x0600, 0x0600, 0, 12)
            })
        }
    }
}
