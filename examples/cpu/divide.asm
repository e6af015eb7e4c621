; quotients, which the shipped model has not learnt well
.start ACC=200 A=3 B=7 C=91 D=250 E=11
DIV A
DIV C B
DIV D E F
DIV D A G
DIV D F
HLT
