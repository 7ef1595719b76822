// Pointers are compared with NULL: none stands by itself where a truth is asked for. Run by tests/style.

@operand@
expression *p;
expression e, a, b;
position where;
@@
(
!p@where
|
p@where && e
|
e && p@where
|
p@where || e
|
e || p@where
|
p@where ? a : b
)

@script:python@
p << operand.p;
where << operand.where;
@@
print("%s:%s: compare the pointer `%s` with NULL" % (where[0].file, where[0].line, p))

@decision@
expression *p;
statement S;
position where;
@@
if (p@where) S

@script:python@
p << decision.p;
where << decision.where;
@@
print("%s:%s: compare the pointer `%s` with NULL" % (where[0].file, where[0].line, p))

@choice@
expression *p;
statement S1, S2;
position where;
@@
if (p@where) S1 else S2

@script:python@
p << choice.p;
where << choice.where;
@@
print("%s:%s: compare the pointer `%s` with NULL" % (where[0].file, where[0].line, p))

@loop@
expression *p;
statement S;
expression first, each;
position where;
@@
(
while (p@where) S
|
for (first; p@where; each) S
)

@script:python@
p << loop.p;
where << loop.where;
@@
print("%s:%s: compare the pointer `%s` with NULL" % (where[0].file, where[0].line, p))
