import socket, struct, time
s=socket.socket(socket.AF_INET6, socket.SOCK_DGRAM)
IPV6_RECVERR=25; IP_RECVERR=11
s.setsockopt(41, IPV6_RECVERR, 1)
s.sendto(b'x', ('::ffff:127.0.0.1', 9)); time.sleep(.1)
def q():
    try: print(s.recvmsg(100, 500, socket.MSG_ERRQUEUE|socket.MSG_DONTWAIT))
    except OSError as e: print(e)
q()
try: print('so_error', s.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR))
except OSError as e: print(e)
try:
    s.setsockopt(0, IP_RECVERR, 1); print('SOL_IP ok')
except OSError as e: print('SOL_IP', e)
s.sendto(b'x', ('::ffff:127.0.0.1', 9)); time.sleep(.1); q()
# pktinfo of v4 on dual
r=socket.socket(socket.AF_INET6, socket.SOCK_DGRAM); r.bind(('::', 9998)); r.setsockopt(41, 49, 1); r.setsockopt(41,51,1); r.setsockopt(41,66,1)
c=socket.socket(socket.AF_INET, socket.SOCK_DGRAM); c.sendto(b'hi', ('127.0.0.5', 9998))
d=r.recvmsg(100,500); print(d)
print(r.sendmsg([b'back'], [(l,t,v) for l,t,v in d[1]], 0, d[3]))
print(c.recvfrom(100))
for cm in [(41,52,struct.pack('i',999)), (0,2,struct.pack('i',999)), (0,2,struct.pack('i',5)), (1,29,struct.pack('i',1)), (0,11,struct.pack('i',1))]:
    try: print(cm[:2], r.sendmsg([b'z'], [cm], 0, d[3]))
    except OSError as e: print(cm[:2], e)
v=socket.socket(socket.AF_INET6, socket.SOCK_DGRAM); v.bind(('::1',0))
for cm in [(41,52,struct.pack('i',999)), (0,2,struct.pack('i',999)), (41,67,struct.pack('i',-2)),(41,62,struct.pack('i',2)),(41,25,struct.pack('i',1)),(41,50,socket.inet_pton(10,'2001:db8::1')+struct.pack('i',0)),(41,50,socket.inet_pton(10,'fe80::1')+struct.pack('i',0)),(41,50,socket.inet_pton(10,'::')+struct.pack('i',99)),(41,50,socket.inet_pton(10,'::1')+struct.pack('i',1)),(1,29,struct.pack('i',1))]:
    try: print(cm[:2], v.sendmsg([b'z'], [cm], 0, ('::1',9)))
    except OSError as e: print(cm[:2], e)
f=socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
for cm in [(0,8,struct.pack('i4s4s',0,socket.inet_aton('10.9.9.9'),b'\0\0\0\0')),(0,8,struct.pack('i4s4s',99,b'\0\0\0\0',b'\0\0\0\0')),(0,8,struct.pack('i4s4s',0,socket.inet_aton('224.0.0.1'),b'\0\0\0\0')),(41,52,struct.pack('i',999)),(0,1,struct.pack('i',300)),(0,2,struct.pack('i',0)),(17,103,b'\x04\x00')]:
    try: print(cm[:2], f.sendmsg([b'z'], [cm], 0, ('127.0.0.1',9)))
    except OSError as e: print(cm[:2], e)
