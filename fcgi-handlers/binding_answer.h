/* What is found out about a bind key, by whoever it is found out. */
#ifndef ESN_BINDING_ANSWER_H
#define ESN_BINDING_ANSWER_H

enum binding_answer {
    BINDING_USER,       /* who it is: a user id, or USER_ID_NO_USER, and maybe more */
    BINDING_REFUSED,    /* it is nobody's */
    BINDING_UNAVAILABLE /* no answer in time, or none that can be understood: nothing is known */
};

#endif
