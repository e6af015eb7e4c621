; a small calculation
.start A=23 B=4 C=100 D=9
ADD A B C     ; C = A + B
SUB C D       ; C = C - D
MUL B B D     ; D = B * B
DIV C D E     ; E = C / D
XOR A C
SWAP A E
LOADI 250
ADD D
NOT
SHR B
MOV F D
DEC F
HLT
