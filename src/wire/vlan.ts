/**
 * The IEEE 802.1Q tag, which stands between a frame's source address and its type.
 * `offset` is where the tag begins (its 0x8100, at 12 in the frame); call `checkVlan` once before any accessor.
 * @module
 */
const TYPE = 0;
const TCI = 2;
const INNER_TYPE = 4;

/** Bytes a tag adds to a frame. */
export const VLAN_TAG_LENGTH = 4;
/** The type of a tag, and that of the outer one of two (802.1ad). */
export const VLAN_TYPE = 0x8100;
export const VLAN_TYPE_OUTER = 0x88a8;
/** The identifier that means "no VLAN, only a priority". */
export const VLAN_ID_NONE = 0;
/** The largest identifier a VLAN can have; 4095 is reserved. */
export const VLAN_ID_MAX = 4094;

/** Whether [offset, end) holds a whole tag and the type behind it. */
export function checkVlan(view: DataView, offset: number, end: number): boolean {
  return end - offset >= VLAN_TAG_LENGTH + 2 && isVlanType(view.getUint16(offset + TYPE));
}

/** Whether an EtherType announces a tag. */
export function isVlanType(type: number): boolean {
  return type === VLAN_TYPE || type === VLAN_TYPE_OUTER;
}

/** The VLAN's identifier, 0 .. 4095. */
export function vlanId(view: DataView, offset: number): number {
  return view.getUint16(offset + TCI) & 0x0fff;
}

/** The priority code point, 0 .. 7. */
export function vlanPriority(view: DataView, offset: number): number {
  return view.getUint8(offset + TCI) >> 5;
}

/** Whether the frame may be dropped first. */
export function vlanDropEligible(view: DataView, offset: number): boolean {
  return (view.getUint8(offset + TCI) & 0x10) !== 0;
}

/** The type of what follows the tag. */
export function vlanInnerType(view: DataView, offset: number): number {
  return view.getUint16(offset + INNER_TYPE);
}

/** Writes a tag and the type behind it. */
export function emitVlan(
  view: DataView,
  offset: number,
  type: number,
  id: number,
  priority: number,
  dropEligible: boolean,
  innerType: number,
): void {
  view.setUint16(offset + TYPE, type);
  view.setUint16(offset + TCI, (priority << 13) | (dropEligible ? 0x1000 : 0) | (id & 0x0fff));
  view.setUint16(offset + INNER_TYPE, innerType);
}

/** The tag's fields as plain values. */
export interface VlanRepr {
  type: number;
  id: number;
  priority: number;
  dropEligible: boolean;
  innerType: number;
}

/** The tag at `offset`, or null when [offset, end) does not hold one. */
export function parseVlan(view: DataView, offset: number, end: number): VlanRepr | null {
  if (!checkVlan(view, offset, end)) return null;
  return {
    type: view.getUint16(offset + TYPE),
    id: vlanId(view, offset),
    priority: vlanPriority(view, offset),
    dropEligible: vlanDropEligible(view, offset),
    innerType: vlanInnerType(view, offset),
  };
}

/** 'vlan 5, p 0' (with ', DEI' when set), as tcpdump writes it. */
export function formatVlan(repr: VlanRepr): string {
  return `vlan ${repr.id}, p ${repr.priority}${repr.dropEligible ? ', DEI' : ''}`;
}
