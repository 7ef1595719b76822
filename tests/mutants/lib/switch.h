#ifndef ESN_SWITCH_H
#define ESN_SWITCH_H

#define ESN_SLIPS_MOST 65536

extern unsigned char *esn_slips_reached;
extern int esn_slip_now;

static inline int esn_slip(int number)
{
    if (esn_slips_reached)
        esn_slips_reached[number] = 1;
    return number == esn_slip_now;
}

#define ESN_SLIP(number) esn_slip(number)

#endif
