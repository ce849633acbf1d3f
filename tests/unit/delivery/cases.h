/* The groups of tests of this program. Each returns how many failed. */
#ifndef CASES_H
#define CASES_H

int retry_cases(void);

#endif
